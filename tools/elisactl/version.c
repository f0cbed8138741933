/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows which releases and versions of the ABI meet on this host: those of this program, the
 * module, and the VMs' drivers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <elisa/release.h>
#include "elisactl.h"
#include "module.h"

/* Adds one side. oldest 0: it has one version only. release "": it does not tell. */
static void add_side(struct json_object *sides, const char *what, const char *release,
		     uint32_t oldest, uint32_t abi)
{
	struct json_object *side = json_object_new_object();

	json_object_object_add(side, "side", json_object_new_string(what));
	json_object_object_add(side, "release", json_object_new_string(*release ? release : "-"));
	add_number(side, "abi_oldest", oldest ? oldest : abi);
	add_number(side, "abi", abi);
	json_object_array_add(sides, side);
}

/* Reads the release of the loaded module. modinfo would tell that of the file on the disk, which
 * may be another one. */
static void read_release(char *release, size_t size)
{
	FILE *file = fopen("/sys/module/elisa/version", "re");

	if (!file || !fgets(release, (int)size, file))
		release[0] = 0;
	release[strcspn(release, "\n")] = 0;
	if (file)
		fclose(file);
}

/* Adds the module. Returns 0, or a positive errno. */
static int add_module(struct json_object *sides, int fd)
{
	struct elisa_host_stats stats = {0};
	char release[64];

	if (ioctl(fd, ELISA_HOST_IOC_STATS, &stats) < 0)
		return errno;
	read_release(release, sizeof(release));
	add_side(sides, "module", release, stats.abi_oldest, stats.abi);
	return 0;
}

/* Adds the VMs' drivers, likewise. A driver tells its version of the ABI, but no release. */
static int add_vms(struct json_object *sides, int fd)
{
	struct elisa_host_vm *vms;
	int count = module_list(fd, ELISA_HOST_VMS, sizeof(*vms), (void **)&vms);

	for (int i = 0; i < count; i++) {
		char what[64];

		snprintf(what, sizeof(what), "VM %u (process %d)", vms[i].id, vms[i].pid);
		add_side(sides, what, "", 0, vms[i].abi);
	}
	free(vms);
	return count < 0 ? -count : 0;
}

int run_version(const struct options *options)
{
	struct json_object *sides = json_object_new_array();
	int fd = open_device(options), status = fd < 0, error = 0;

	add_side(sides, "elisactl", ELISA_RELEASE, ELISA_ABI_OLDEST, ELISA_ABI_VERSION);
	if (fd >= 0) {
		error = add_module(sides, fd);
		if (!error)
			error = add_vms(sides, fd);
		close(fd);
	}
	if (error)
		status = fail("version", error);
	if (options->json)
		print_json(sides);
	else
		print_table(sides);
	json_object_put(sides);
	return status;
}
