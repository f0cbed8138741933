/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what the module knows: VMs, vCPUs, grants, exports, attachments, and its counters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "elisactl.h"
#include "module.h"

#define FLAG_WORD(name, bit, word, text) {1u << (bit), word},
#define COUNTER_WORD(name, word, text)	 word,

static const struct flag_word rights[] = {ELISA_GRANT_LIST(FLAG_WORD)};
static const struct flag_word export_flags[] = {ELISA_EXPORT_FLAG_LIST(FLAG_WORD)};
static const struct flag_word host_flags[] = {ELISA_HOST_FLAG_LIST(FLAG_WORD)};
static const char *const counters[] = {ELISA_COUNTER_LIST(COUNTER_WORD)};

#define COUNT_OF(array)				(sizeof(array) / sizeof((array)[0]))

/* Words by their number, from 1 on. */
#define NUMBERED_WORD(name, number, word, text) [number] = (word),
static const char *const vcpu_states[] = {ELISA_VCPU_STATE_LIST(NUMBERED_WORD)};
static const char *const closed_words[] = {"-", ELISA_CLOSED_LIST(NUMBERED_WORD)};

static const char *word_of(const char *const *words, size_t count, uint32_t number,
			   char unknown[CLOSED_WORD])
{
	if (number < count && words[number])
		return words[number];
	snprintf(unknown, CLOSED_WORD, "%u", number);
	return unknown;
}

const char *closed_word(uint32_t closed, char unknown[CLOSED_WORD])
{
	return word_of(closed_words, COUNT_OF(closed_words), closed, unknown);
}

/* Adds a histogram with its bounds. Only JSON has it, because a table has no room for it. */
static void add_histogram(struct json_object *to, const struct elisa_host_spans *spans)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < ELISA_SPANS; i++) {
		struct json_object *bucket = json_object_new_object();

		if (i < ELISA_SPANS - 1)
			add_number(bucket, "below_ns", ELISA_SPAN_NS(i));
		add_number(bucket, "times", spans->times[i]);
		json_object_array_add(list, bucket);
	}
	json_object_object_add(to, "suspensions", list);
}

uint64_t spans_count(const struct elisa_host_spans *spans)
{
	uint64_t sum = 0;

	for (int i = 0; i < ELISA_SPANS; i++)
		sum += spans->times[i];
	return sum;
}

static struct json_object *show_vm(const void *record, bool json)
{
	const struct elisa_host_vm *vm = record;
	struct json_object *shown = json_object_new_object();

	(void)json;
	add_number(shown, "vm", vm->id);
	json_object_object_add(shown, "pid", json_object_new_int(vm->pid));
	add_number(shown, "vcpus", vm->vcpus);
	add_number(shown, "exports", vm->exports);
	add_number(shown, "attachments", vm->attachments);
	add_number(shown, "pages", vm->pages);
	add_number(shown, "abi", vm->abi);
	return shown;
}

static struct json_object *show_grant(const void *record, bool json)
{
	const struct elisa_host_grant_info *grant = record;
	struct json_object *shown = json_object_new_object();

	(void)json;
	add_number(shown, "id", grant->id);
	json_object_object_add(shown, "pid", json_object_new_int(grant->pid));
	add_flags(shown, "rights", grant->rights, rights, COUNT_OF(rights));
	add_number(shown, "max_pages", grant->max_pages);
	add_name(shown, grant->name);
	return shown;
}

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {"new", "live"};

	return state < COUNT_OF(names) ? names[state] : "unknown";
}

static struct json_object *show_export(const void *record, bool json)
{
	const struct elisa_host_export *export_ = record;
	struct json_object *shown = json_object_new_object();

	add_number(shown, "id", export_->id);
	add_number(shown, "vm", export_->vm);
	json_object_object_add(shown, "state", json_object_new_string(state_name(export_->state)));
	add_flags(shown, "flags", export_->flags, export_flags, COUNT_OF(export_flags));
	add_number(shown, "pages", export_->pages);
	if (json)
		add_number(shown, "table_pages", export_->tables);
	add_number(shown, "attachments", export_->attachments);
	add_number(shown, "limit_us", export_->limit_us);
	add_number(shown, "suspend_us", export_->suspend_us);
	add_number(shown, "aborts", export_->aborts);
	add_number(shown, "suspended", spans_count(&export_->suspended));
	add_name(shown, export_->name);
	if (json) {
		add_number(shown, "suspended_ns", export_->suspended.ns);
		add_histogram(shown, &export_->suspended);
	}
	return shown;
}

void add_calls(struct json_object *to, const char *key,
	       const struct elisa_host_attachment *attachment, uint64_t calls)
{
	if (attachment->flags & ELISA_EXPORT_COUNTED)
		add_number(to, key, calls);
	else
		json_object_object_add(to, key, json_object_new_string("-"));
}

static struct json_object *show_attachment(const void *record, bool json)
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
	add_calls(shown, "calls", attachment, attachment->calls);
	add_number(shown, "suspended", spans_count(&attachment->suspended));
	add_name(shown, attachment->name);
	if (json) {
		add_number(shown, "attachment", attachment->number);
		add_number(shown, "suspended_ns", attachment->suspended.ns);
		add_histogram(shown, &attachment->suspended);
	}
	return shown;
}

static struct json_object *show_vcpu(const void *record, bool json)
{
	const struct elisa_host_vcpu *vcpu = record;
	struct json_object *shown = json_object_new_object();
	char unknown[CLOSED_WORD];

	(void)json;
	add_number(shown, "vm", vcpu->vm);
	add_number(shown, "vcpu", vcpu->vcpu);
	json_object_object_add(shown, "state",
			       json_object_new_string(word_of(vcpu_states, COUNT_OF(vcpu_states),
							      vcpu->state, unknown)));
	json_object_object_add(shown, "closed_by",
			       json_object_new_string(closed_word(vcpu->closed, unknown)));
	add_number(shown, "attachments", vcpu->attachments);
	add_number(shown, "return_traps", vcpu->return_traps);
	add_number(shown, "calls", vcpu->calls);
	return shown;
}

static const struct list_command {
	const char *name;
	uint32_t kind;
	size_t size;
	struct json_object *(*show)(const void *record, bool json);
} lists[] = {
	{"vms", ELISA_HOST_VMS, sizeof(struct elisa_host_vm), show_vm},
	{"grants", ELISA_HOST_GRANTS, sizeof(struct elisa_host_grant_info), show_grant},
	{"exports", ELISA_HOST_EXPORTS, sizeof(struct elisa_host_export), show_export},
	{"attachments", ELISA_HOST_ATTACHMENTS, sizeof(struct elisa_host_attachment),
	 show_attachment},
	{"vcpus", ELISA_HOST_VCPUS, sizeof(struct elisa_host_vcpu), show_vcpu},
};

static int list(const struct options *options, const struct list_command *command)
{
	struct json_object *shown;
	void *records;
	int fd = open_device(options);
	int count;

	if (fd < 0)
		return 1;
	count = module_list(fd, command->kind, command->size, &records);
	close(fd);
	if (count < 0) {
		free(records);
		return fail(command->name, -count);
	}
	shown = json_object_new_array();
	for (int i = 0; i < count; i++)
		json_object_array_add(
			shown, command->show((const char *)records + (size_t)i * command->size,
					     options->json));
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
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		if (!strcmp(name, lists[i].name))
			return list(options, &lists[i]);
	return options_wrong(&program, "'%s' is not a command", name);
}

/* ------------------------------------------------------------------------------ stats */

static struct json_object *show_stats(const struct elisa_host_stats *stats)
{
	struct json_object *shown = json_object_new_object();
	char number[16];

	add_number(shown, "abi", stats->abi);
	add_flags(shown, "flags", stats->flags, host_flags, COUNT_OF(host_flags));
	for (uint32_t i = 0; i < stats->count && i < COUNT_OF(stats->counter); i++) {
		/* a counter of a newer module */
		snprintf(number, sizeof(number), "counter_%u", i);
		add_number(shown, i < COUNT_OF(counters) ? counters[i] : number, stats->counter[i]);
	}
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
			printf("%-18s %s\n", key, text);
		}
	}
	json_object_put(shown);
	return 0;
}
