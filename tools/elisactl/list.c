/* SPDX-License-Identifier: Apache-2.0 */
/* What the module knows: VMs, grants, exports, attachments, and its counters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "elisactl.h"

static struct json_object *show_vm(const void *record)
{
	const struct elisa_host_vm *vm = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "vm", vm->id);
	json_object_object_add(shown, "pid", json_object_new_int(vm->pid));
	add_number(shown, "vcpus", vm->vcpus);
	add_number(shown, "exports", vm->exports);
	add_number(shown, "attachments", vm->attachments);
	add_number(shown, "pages", vm->pages);
	return shown;
}

static struct json_object *show_grant(const void *record)
{
	static const char *const rights[] = {"export", "attach", "trusted-manager", "allow-pcid"};
	const struct elisa_host_grant_info *grant = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", grant->id);
	json_object_object_add(shown, "pid", json_object_new_int(grant->pid));
	add_flags(shown, "rights", grant->rights, rights, 4);
	add_number(shown, "max_pages", grant->max_pages);
	add_name(shown, grant->name);
	return shown;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {"new", "live"};

	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static struct json_object *show_export(const void *record)
{
	static const char *const flags[] = {"general-regs", "private", "poison"};
	const struct elisa_host_export *export_ = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", export_->id);
	add_number(shown, "vm", export_->vm);
	json_object_object_add(shown, "state", json_object_new_string(state_name(export_->state)));
	add_flags(shown, "flags", export_->flags, flags, 3);
	add_number(shown, "pages", export_->pages);
	add_number(shown, "attachments", export_->attachments);
	add_number(shown, "limit_us", export_->limit_us);
	add_number(shown, "suspend_us", export_->suspend_us);
	add_number(shown, "aborts", export_->aborts);
	add_name(shown, export_->name);
	return shown;
}

static struct json_object *show_attachment(const void *record)
{
	const struct elisa_host_attachment *attachment = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "vm", attachment->vm);
	add_number(shown, "slot", attachment->slot);
	add_number(shown, "export", attachment->export_id);
	json_object_object_add(shown, "mode",
			       json_object_new_string(attachment->mode == ELISA_MODE_STRICT ?
							      "strict" :
							      "trusted"));
	add_number(shown, "vcpus", attachment->vcpus);
	add_number(shown, "pages_per_vcpu", attachment->pages);
	add_number(shown, "aborts", attachment->aborts);
	add_name(shown, attachment->name);
	return shown;
}

static const struct list_command {
	const char *name;
	uint32_t kind;
	size_t size;
	struct json_object *(*show)(const void *record);
} lists[] = {
	{"vms", ELISA_HOST_VMS, sizeof(struct elisa_host_vm), show_vm},
	{"grants", ELISA_HOST_GRANTS, sizeof(struct elisa_host_grant_info), show_grant},
	{"exports", ELISA_HOST_EXPORTS, sizeof(struct elisa_host_export), show_export},
	{"attachments", ELISA_HOST_ATTACHMENTS, sizeof(struct elisa_host_attachment),
	 show_attachment},
};

static int list(const struct options *options, const struct list_command *command)
{
	struct json_object *shown;
	void *records;
	int fd = open_device(options);
	int count;

	if (fd < 0)
		return 1;
	count = list_records(fd, command->kind, command->size, &records);
	close(fd);
	if (count < 0) {
		free(records);
		return fail(command->name, -count);
	}
	shown = json_object_new_array();
	for (int i = 0; i < count; i++)
		json_object_array_add(
			shown, command->show((const char *)records + (size_t)i * command->size));
	free(records);
	if (options->json)
		print_json(shown);
	else
		print_table(shown);
	json_object_put(shown);
	return 0;
}

int run_list(const struct options *options, const char *name)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (!strcmp(name, lists[i].name))
			return list(options, &lists[i]);
	return options_wrong(&program, "'%s' is not a command", name);
}

/* ------------------------------------------------------------------------------ stats */

static const char *const counters[] = {
	[ELISA_COUNT_HYPERCALLS] = "hypercalls",
	[ELISA_COUNT_HYPERCALL_ERRORS] = "hypercall_errors",
	[ELISA_COUNT_EXITS_IN_CONTEXT] = "exits_in_context",
	[ELISA_COUNT_RESUMED] = "resumed",
	[ELISA_COUNT_RETURN_TRAPS] = "return_traps",
	[ELISA_COUNT_DEFERRED] = "deferred",
	[ELISA_COUNT_FAULTS] = "faults",
	[ELISA_COUNT_FORBIDDEN] = "forbidden",
	[ELISA_COUNT_TIMEOUTS] = "timeouts",
	[ELISA_COUNT_REVOKED] = "revoked",
	[ELISA_COUNT_VMM_ENDED] = "vmm_ended",
	[ELISA_COUNT_REFUSED_VMFUNC] = "refused_vmfunc",
	[ELISA_COUNT_FOREIGN_ROOT] = "foreign_root",
	[ELISA_COUNT_ROOT_RELOADS] = "root_reloads",
	[ELISA_COUNT_CLOSED] = "closed",
	[ELISA_COUNT_DESC_EXITS] = "desc_exits",
	[ELISA_COUNT_DEBUG_SUPPRESSED] = "debug_suppressed",
	[ELISA_COUNT_RINGS] = "rings",
	[ELISA_COUNT_INTERRUPTS] = "interrupts",
	[ELISA_COUNT_THROTTLED] = "throttled",
};
_Static_assert(sizeof(counters) / sizeof(counters[0]) == ELISA_COUNT_COUNT, "a name is missing");

static struct json_object *show_stats(const struct elisa_host_stats *stats)
{
	static const char *const flags[] = {NULL, "cpu-bug", "override", "armed"};
	struct json_object *shown = json_object_new_object();

	add_number(shown, "abi", stats->abi);
	add_flags(shown, "flags", stats->flags, flags, 4);
	for (uint32_t i = 0; i < ELISA_COUNT_COUNT && i < stats->count; i++)
		add_number(shown, counters[i], stats->counter[i]);
	return shown;
}

int run_stats(const struct options *options)
{
	struct elisa_host_stats stats = {0};
	struct json_object *shown;
	int fd = open_device(options);
	char text[64];
	int ret;

	if (fd < 0)
		return 1;
	ret = ioctl(fd, ELISA_HOST_IOC_STATS, &stats) < 0 ? errno : 0;
	close(fd);
	if (ret)
		return fail("stats", ret);
	shown = show_stats(&stats);
	if (options->json) {
		print_json(shown);
	} else {
		json_object_object_foreach(shown, key, value)
		{
			cell_text(value, text, sizeof(text));
			printf("%-17s %s\n", key, text);
		}
	}
	json_object_put(shown);
	return 0;
}
