/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows for each attachment how often calls were interrupted, for how long they were suspended, and
 * how many ended early, since the last view. A call that is not interrupted causes no exit. So the
 * number of calls is shown only if the export has them counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"
#include "elisactl.h"
#include "module.h"
#include "view.h"

#define LEAST_INTERVAL 0.1

struct attachments {
	struct elisa_host_attachment *record;
	int count;
	double at;
};

/* The rates of one attachment, for each second. */
struct row {
	const struct elisa_host_attachment *is;
	int pid;
	double calls, suspended, share,
		/* share: of the time; 1 for each vCPU that is always suspended */
		aborts;
};

/* ---- in which order */

static int by_number(double a, double b)
{
	return (a < b) - (a > b);
}

static int by_suspended(const void *a, const void *b)
{
	return by_number(((const struct row *)a)->suspended, ((const struct row *)b)->suspended);
}

static int by_calls(const void *a, const void *b)
{
	return by_number(((const struct row *)a)->calls, ((const struct row *)b)->calls);
}

static int by_time(const void *a, const void *b)
{
	return by_number(((const struct row *)a)->share, ((const struct row *)b)->share);
}

static int by_aborts(const void *a, const void *b)
{
	return by_number(((const struct row *)a)->aborts, ((const struct row *)b)->aborts);
}

static int by_vm(const void *a, const void *b)
{
	const struct elisa_host_attachment *of = ((const struct row *)a)->is;
	const struct elisa_host_attachment *other = ((const struct row *)b)->is;

	return of->vm == other->vm ? by_number(other->slot, of->slot) :
				     by_number(other->vm, of->vm);
}

static int by_name(const void *a, const void *b)
{
	const int order = strncmp(((const struct row *)a)->is->name,
				  ((const struct row *)b)->is->name, ELISA_NAME_SIZE);

	return order ? order : by_vm(a, b);
}

static const struct order {
	const char *column;
	int (*compare)(const void *a, const void *b);
} orders[] = {
	{"suspended", by_suspended}, {"calls", by_calls}, {"time", by_time},
	{"aborts", by_aborts},	     {"vm", by_vm},	  {"name", by_name},
};

static const struct order *order_of(const char *column)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (!column || !strcmp(orders[i].column, column))
			return &orders[i];
	return NULL;
}

/* ---- what a view has */

/* Returns the same attachment in the last view; NULL: it is new. */
static const struct elisa_host_attachment *before(const struct attachments *last,
						  const struct elisa_host_attachment *is)
{
	for (int i = 0; i < last->count; i++) {
		const struct elisa_host_attachment *was = &last->record[i];

		if (was->vm == is->vm && was->slot == is->slot && was->number == is->number &&
		    !strncmp(was->name, is->name, ELISA_NAME_SIZE))
			return was;
	}
	return NULL;
}

static struct row row_of(const struct elisa_host_attachment *is,
			 const struct elisa_host_attachment *was, double seconds)
{
	static const struct elisa_host_attachment none;

	if (!was)
		was = &none;
	return (struct row){
		.is = is,
		.calls = view_per_second(is->calls, was->calls, seconds),
		.suspended = view_per_second(spans_count(&is->suspended),
					     spans_count(&was->suspended), seconds),
		.share = 1e-9 * view_per_second(is->suspended.ns, was->suspended.ns, seconds),
		.aborts = view_per_second(is->aborts, was->aborts, seconds),
	};
}

static int pid_of(const struct elisa_host_vm *vms, int count, uint32_t id)
{
	for (int i = 0; i < count; i++)
		if (vms[i].id == id)
			return vms[i].pid;
	return 0;
}

static void print_text(FILE *to, const struct row *rows, int count)
{
	view_begin(to);
	fprintf(to, "%5s %7s %4s %-15s %5s %10s %11s %7s %8s\n", "vm", "pid", "slot", "name",
		"vcpus", "calls/s", "suspended/s", "time %", "aborts/s");
	for (int i = 0; i < count; i++) {
		char calls[16] = "-";

		if (rows[i].is->flags & ELISA_EXPORT_COUNTED)
			snprintf(calls, sizeof(calls), "%.0f", rows[i].calls);
		fprintf(to, "%5u %7d %4u %-15.15s %5u %10s %11.0f %7.2f %8.0f\n", rows[i].is->vm,
			rows[i].pid, rows[i].is->slot, rows[i].is->name, rows[i].is->vcpus, calls,
			rows[i].suspended, 100 * rows[i].share, rows[i].aborts);
	}
}

/* Prints a view as one line. */
static void print_rows_as_json(FILE *to, const struct row *rows, int count)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < count; i++) {
		struct json_object *row = json_object_new_object();

		add_number(row, "vm", rows[i].is->vm);
		json_object_object_add(row, "pid", json_object_new_int(rows[i].pid));
		add_number(row, "slot", rows[i].is->slot);
		add_number(row, "export", rows[i].is->export_id);
		add_number(row, "attachment", rows[i].is->number);
		add_name(row, rows[i].is->name);
		add_number(row, "vcpus", rows[i].is->vcpus);
		add_calls(row, "calls_per_second", rows[i].is, (uint64_t)(rows[i].calls + 0.5));
		add_number(row, "suspended_per_second", (uint64_t)(rows[i].suspended + 0.5));
		add_number(row, "suspended_ns_per_second", (uint64_t)(1e9 * rows[i].share + 0.5));
		add_number(row, "aborts_per_second", (uint64_t)(rows[i].aborts + 0.5));
		json_object_array_add(list, row);
	}
	fprintf(to, "%s\n", json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
	json_object_put(list);
}

/* ---- again and again */

/* Returns 0, or an exit status after a message. */
static int look(int fd, struct attachments *seen)
{
	seen->count = module_list(fd, ELISA_HOST_ATTACHMENTS, sizeof(*seen->record),
				  (void **)&seen->record);
	seen->at = monotonic();
	return seen->count < 0 ? fail("top", -seen->count) : 0;
}

static int view(int fd, const struct options *options, const struct attachments *last,
		const struct attachments *now)
{
	struct row *rows = calloc((size_t)now->count + 1, sizeof(*rows));
	struct elisa_host_vm *vms;
	int vm_count = module_list(fd, ELISA_HOST_VMS, sizeof(*vms), (void **)&vms);
	int status = 1;

	if (vm_count < 0 || !rows) {
		status = fail("top", vm_count < 0 ? -vm_count : ENOMEM);
		goto out;
	}
	for (int i = 0; i < now->count; i++) {
		rows[i] =
			row_of(&now->record[i], before(last, &now->record[i]), now->at - last->at);
		rows[i].pid = pid_of(vms, vm_count, now->record[i].vm);
	}
	qsort(rows, (size_t)now->count, sizeof(*rows), order_of(options->sort)->compare);
	if (options->json)
		print_rows_as_json(stdout, rows, now->count);
	else
		print_text(stdout, rows, now->count);
	status = flush_output();
out:
	free(vms);
	free(rows);
	return status;
}

static int views(int fd, const struct options *options)
{
	struct attachments last = {.record = NULL}, now;
	int status = look(fd, &last);

	for (uint64_t i = 0; !status && (!options->count || i < options->count); i++) {
		view_rest(options->interval ? options->interval : 1);
		status = look(fd, &now);
		if (!status)
			status = view(fd, options, &last, &now);
		free(last.record);
		last = now;
	}
	free(last.record);
	return status;
}

int run_top(const struct options *options)
{
	int fd, status;

	if (!order_of(options->sort))
		return options_wrong(&program, "--sort: there is no column '%s'", options->sort);
	if (options->interval && options->interval < LEAST_INTERVAL)
		return options_wrong(&program, "--interval: less than %g seconds", LEAST_INTERVAL);
	fd = open_device(options);
	if (fd < 0)
		return 1;
	status = views(fd, options);
	close(fd);
	return status;
}
