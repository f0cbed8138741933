/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and revokes grants. Only the process that was given names the VM; nothing is guessed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "elisactl.h"
#include "module.h"
#include "rules.h"

/* Returns 0, or the exit status. */
static int read_pidfile(const char *file, uint32_t *pid)
{
	char text[32] = "";
	uint64_t number = 0;
	FILE *from = fopen(file, "re");

	if (!from) {
		fprintf(stderr, "elisactl: %s: %m; give the file that the VMM wrote its pid to\n",
			file);
		return 1;
	}
	if (fgets(text, sizeof(text), from))
		text[strcspn(text, "\n")] = 0;
	fclose(from);
	if (parse_number(text, 1, INT32_MAX, &number)) {
		fprintf(stderr,
			"elisactl: %s: '%s' is no process id; give the file that the VMM wrote its "
			"pid to\n",
			file, text);
		return 1;
	}
	*pid = (uint32_t)number;
	return 0;
}

static int grant_failed(int pid, int error)
{
	if (error == ESRCH) {
		fprintf(stderr,
			"elisactl: there is no process %d; give the pid of the running VMM (its "
			"-pidfile)\n",
			pid);
		return 1;
	}
	return fail("grant", error);
}

/* Grants. Returns 0 or an errno. */
static int grant_by_pid(int fd, struct elisa_host_grant *grant)
{
	const int pidfd = module_hold(grant->pid);
	int ret = pidfd;

	if (pidfd >= 0) {
		ret = module_grant(fd, grant, pidfd);
		close(pidfd);
	}
	return -ret;
}

/* Tells whether there is a name that both patterns match. */
static bool overlap(const char *a, const char *b)
{
	size_t plain_a = strcspn(a, "*");
	size_t plain_b = strcspn(b, "*");

	return (a[plain_a] || plain_a >= plain_b) && (b[plain_b] || plain_b >= plain_a) &&
	       !strncmp(a, b, plain_a < plain_b ? plain_a : plain_b);
}

/* Warns if an older grant matches a name, too: the oldest one decides, and may not be the one just
 * made. */
static void warn_of_older(int fd, uint32_t id)
{
	const uint32_t rights = ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH;
	const struct elisa_host_grant_info *grants, *made = NULL;
	void *records;
	int count = module_list(fd, ELISA_HOST_GRANTS, sizeof(*grants), &records);

	grants = records;
	for (int i = 0; i < count; i++)
		if (grants[i].id == id)
			made = &grants[i];
	for (int i = 0; made && i < count; i++)
		if (grants[i].id < id && grants[i].pid == made->pid &&
		    (grants[i].rights & made->rights & rights) &&
		    overlap(grants[i].name, made->name))
			fprintf(stderr,
				"elisactl: warning: grant %u (%s) is older and decides for names "
				"that match both; revoke it if the new one is to count\n",
				grants[i].id, grants[i].name);
	free(records);
}

static int grant_to(const struct options *options, struct elisa_host_grant *grant)
{
	int fd = open_device(options);
	int ret;

	if (fd < 0)
		return 1;
	ret = grant_by_pid(fd, grant);
	if (!ret)
		warn_of_older(fd, grant->id);
	close(fd);
	return ret ? grant_failed(grant->pid, ret) : 0;
}

static void print_id(uint32_t id)
{
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", id);
	print_json(shown);
	json_object_put(shown);
}

/* Reads "export NAME" or "attach NAME". Returns 0, or the exit status. */
static int read_wanted(char **arguments, struct elisa_host_grant *grant)
{
	if (!arguments[0] || !arguments[1] || arguments[2])
		return options_wrong(&program, "grant takes export or attach, and a name");
	if (!strcmp(arguments[0], "export"))
		grant->rights |= ELISA_GRANT_EXPORT;
	else if (!strcmp(arguments[0], "attach"))
		grant->rights |= ELISA_GRANT_ATTACH;
	else
		return options_wrong(&program, "grant: '%s' is not export or attach", arguments[0]);
	if ((grant->rights & ELISA_GRANT_TRUSTED_MANAGER) && !(grant->rights & ELISA_GRANT_EXPORT))
		return options_wrong(&program, "--trusted-manager is for a grant to export");
	if (!rules_name_is_good(arguments[1]))
		return options_wrong(&program,
				     "'%s' is not a name: 1 to 63 of A-Z a-z 0-9 . _ - and perhaps "
				     "a * at the end",
				     arguments[1]);
	strncpy(grant->name, arguments[1], sizeof(grant->name) - 1);
	return 0;
}

int read_pid(const struct options *options, pid_t *pid)
{
	uint32_t number = options->pid;

	if (!number && read_pidfile(options->pidfile, &number))
		return 1;
	*pid = (pid_t)number;
	return 0;
}

int run_grant(const struct options *options, char **arguments)
{
	struct elisa_host_grant grant = options->grant;
	int ret = read_wanted(arguments, &grant);

	if (ret)
		return ret;
	if (!options->pid == !options->pidfile)
		return options_wrong(&program, "grant needs --pid or --pidfile");
	if (read_pid(options, &grant.pid))
		return 1;

	ret = grant_to(options, &grant);
	if (ret)
		return ret;
	if (!options->json) {
		printf("%u\n", grant.id);
		return 0;
	}
	print_id(grant.id);
	return 0;
}

int run_revoke(const struct options *options, char **arguments)
{
	uint64_t id;
	int ret;
	int fd;

	if (!arguments[0] || arguments[1])
		return options_wrong(&program, "revoke takes the id of one grant");
	if (parse_number(arguments[0], 0, UINT32_MAX, &id))
		return options_wrong(&program, "revoke: '%s' is not the id of a grant",
				     arguments[0]);
	fd = open_device(options);
	if (fd < 0)
		return 1;
	ret = -module_revoke(fd, (uint32_t)id);
	close(fd);
	if (ret == ENOENT) {
		fprintf(stderr, "elisactl: there is no grant %u; elisactl grants lists them\n",
			(unsigned int)id);
		return 1;
	}
	if (ret)
		return fail("revoke", ret);
	if (options->json)
		print_id((uint32_t)id);
	return 0;
}
