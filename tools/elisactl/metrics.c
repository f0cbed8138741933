/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints everything that the module counts, as OpenMetrics text. Prometheus' older text format can
 * be read from it, too, as node_exporter's textfile collector does. The names are in the manual
 * page, and do not change.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "elisactl.h"
#include "module.h"
#include "metrics.h"

#define NS	   1e-9
#define CLOSED_MAX 32 /* enum elisa_closed; larger numbers of a newer module are left out */

/* What the module returned. Each list is consistent by itself, but the lists were read one after
 * the other. */
struct seen {
	struct elisa_host_stats stats;
	struct elisa_host_vm *vms;
	struct elisa_host_vcpu *vcpus;
	struct elisa_host_export *exports;
	struct elisa_host_attachment *attachments;
	int vm_count, vcpu_count, export_count, attachment_count;
};

static void head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# TYPE %s %s\n# HELP %s %s.\n", name, type, name, help);
}

static void print_number(FILE *to, uint64_t number)
{
	fprintf(to, "} %llu\n", (unsigned long long)number);
}

/* ---- the module's own */

static void print_stats(FILE *to, const struct elisa_host_stats *stats)
{
#define COUNTER(name, word, text) {"elisa_" word, text},
	static const struct {
		const char *name, *help;
	} counters[] = {ELISA_COUNTER_LIST(COUNTER)};
#undef COUNTER
#define FLAG(name, bit, word, text) {1u << (bit), word},
	static const struct flag_word flags[] = {ELISA_HOST_FLAG_LIST(FLAG)};
#undef FLAG

	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters) && i < stats->count; i++) {
		head(to, counters[i].name, "counter", counters[i].help);
		fprintf(to, "%s_total %llu\n", counters[i].name,
			(unsigned long long)stats->counter[i]);
	}
	head(to, "elisa_flag", "gauge", "Flags of the module, as elisactl stats has them");
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		fprintf(to, "elisa_flag{flag=\"%s\"", flags[i].word);
		print_number(to, !!(stats->flags & flags[i].flag));
	}
}

/* ---- VMs and vCPUs */

static void print_vm_gauge(FILE *to, const struct seen *seen, const char *name, const char *help,
			   uint64_t (*value)(const struct elisa_host_vm *vm))
{
	head(to, name, "gauge", help);
	for (int i = 0; i < seen->vm_count; i++) {
		fprintf(to, "%s{vm=\"%u\",pid=\"%d\"", name, seen->vms[i].id, seen->vms[i].pid);
		print_number(to, value(&seen->vms[i]));
	}
}

static uint64_t pages_of(const struct elisa_host_vm *vm)
{
	return vm->pages;
}

static uint64_t vcpus_of(const struct elisa_host_vm *vm)
{
	return vm->vcpus;
}

/* Prints how many vCPUs of a VM have an attachment and cannot call, by what keeps them from it. */
static void print_closed(FILE *to, const struct seen *seen)
{
	static const struct {
		uint32_t number;
		const char *word;
	} reasons[] = {
#define CLOSED(name, number, word, text) {number, word},
		ELISA_CLOSED_LIST(CLOSED)
#undef CLOSED
	};

	head(to, "elisa_vm_closed_vcpus", "gauge", "vCPUs with an attachment that cannot call");
	for (int i = 0; i < seen->vm_count; i++) {
		uint64_t closed[CLOSED_MAX] = {0};

		for (int v = 0; v < seen->vcpu_count; v++)
			if (seen->vcpus[v].vm == seen->vms[i].id && seen->vcpus[v].attachments &&
			    seen->vcpus[v].closed < CLOSED_MAX)
				closed[seen->vcpus[v].closed]++;
		for (size_t r = 0; r < sizeof(reasons) / sizeof(*reasons); r++) {
			if (!closed[reasons[r].number])
				continue;
			fprintf(to, "elisa_vm_closed_vcpus{vm=\"%u\",pid=\"%d\",reason=\"%s\"",
				seen->vms[i].id, seen->vms[i].pid, reasons[r].word);
			print_number(to, closed[reasons[r].number]);
		}
	}
}

/* ---- exports and attachments */

static void label_name(FILE *to, const char name[ELISA_NAME_SIZE])
{
	char text[ELISA_NAME_SIZE + 1] = "";

	memcpy(text, name, ELISA_NAME_SIZE);
	fputs("name=\"", to);
	metrics_value(to, text);
	fputc('"', to);
}

static void label_export(FILE *to, const char *metric, const struct elisa_host_export *export_)
{
	fprintf(to, "%s{export=\"%u\",vm=\"%u\",", metric, export_->id, export_->vm);
	label_name(to, export_->name);
}

/* Prints a histogram. Each bucket includes those before it. */
static void print_histogram(FILE *to, const struct elisa_host_export *export_)
{
	const struct elisa_host_spans *spans = &export_->suspended;
	uint64_t sum = 0;

	for (int i = 0; i < ELISA_SPANS; i++) {
		sum += spans->times[i];
		label_export(to, "elisa_export_suspended_seconds_bucket", export_);
		if (i < ELISA_SPANS - 1)
			fprintf(to, ",le=\"%.9g\"", NS * (double)ELISA_SPAN_NS(i));
		else
			fputs(",le=\"+Inf\"", to);
		print_number(to, sum);
	}
	label_export(to, "elisa_export_suspended_seconds_count", export_);
	print_number(to, sum);
	label_export(to, "elisa_export_suspended_seconds_sum", export_);
	fprintf(to, "} %.9f\n", NS * (double)spans->ns);
}

static void print_exports(FILE *to, const struct seen *seen)
{
	const struct elisa_host_export *exports = seen->exports;

	head(to, "elisa_export_pages", "gauge", "Pages of the manager in the export");
	for (int i = 0; i < seen->export_count; i++) {
		label_export(to, "elisa_export_pages", &exports[i]);
		print_number(to, exports[i].pages);
	}
	head(to, "elisa_export_attachments", "gauge", "Attachments that it has");
	for (int i = 0; i < seen->export_count; i++) {
		label_export(to, "elisa_export_attachments", &exports[i]);
		print_number(to, exports[i].attachments);
	}
	head(to, "elisa_export_aborts", "counter", "Calls that did not come to their end");
	for (int i = 0; i < seen->export_count; i++) {
		label_export(to, "elisa_export_aborts_total", &exports[i]);
		print_number(to, exports[i].aborts);
	}
	head(to, "elisa_export_suspended_seconds", "histogram",
	     "For how long calls were suspended, each time");
	for (int i = 0; i < seen->export_count; i++)
		print_histogram(to, &exports[i]);
}

static void label_attachment(FILE *to, const char *metric,
			     const struct elisa_host_attachment *attachment)
{
	fprintf(to, "%s{vm=\"%u\",slot=\"%u\",export=\"%u\",attachment=\"%llu\",", metric,
		attachment->vm, attachment->slot, attachment->export_id,
		(unsigned long long)attachment->number);
	label_name(to, attachment->name);
}

static void print_attachments(FILE *to, const struct seen *seen)
{
	const struct elisa_host_attachment *attachments = seen->attachments;

	head(to, "elisa_attachment_aborts", "counter", "Calls that did not come to their end");
	for (int i = 0; i < seen->attachment_count; i++) {
		label_attachment(to, "elisa_attachment_aborts_total", &attachments[i]);
		print_number(to, attachments[i].aborts);
	}
	head(to, "elisa_attachment_calls", "counter", "Calls, where the export has them counted");
	for (int i = 0; i < seen->attachment_count; i++)
		if (attachments[i].flags & ELISA_EXPORT_COUNTED) {
			label_attachment(to, "elisa_attachment_calls_total", &attachments[i]);
			print_number(to, attachments[i].calls);
		}
	head(to, "elisa_attachment_suspensions", "counter", "Times that a call was suspended");
	for (int i = 0; i < seen->attachment_count; i++) {
		label_attachment(to, "elisa_attachment_suspensions_total", &attachments[i]);
		print_number(to, spans_count(&attachments[i].suspended));
	}
	head(to, "elisa_attachment_suspended_seconds", "counter",
	     "For how long calls were suspended");
	for (int i = 0; i < seen->attachment_count; i++) {
		label_attachment(to, "elisa_attachment_suspended_seconds_total", &attachments[i]);
		fprintf(to, "} %.9f\n", NS * (double)attachments[i].suspended.ns);
	}
}

static void print_all(const void *of, FILE *to)
{
	const struct seen *seen = of;

	print_stats(to, &seen->stats);
	print_vm_gauge(to, seen, "elisa_vm_pages", "Pages held of its VMM, for all its VMs",
		       pages_of);
	print_vm_gauge(to, seen, "elisa_vm_vcpus", "vCPUs that have spoken to the module",
		       vcpus_of);
	print_closed(to, seen);
	print_exports(to, seen);
	print_attachments(to, seen);
	fputs("# EOF\n", to);
}

/* Reads everything from the module. Returns 0, or -errno. */
static int look(int fd, struct seen *seen)
{
	if (ioctl(fd, ELISA_HOST_IOC_STATS, &seen->stats) < 0)
		return -errno;
	seen->vm_count = module_list(fd, ELISA_HOST_VMS, sizeof(*seen->vms), (void **)&seen->vms);
	if (seen->vm_count < 0)
		return seen->vm_count;
	seen->vcpu_count =
		module_list(fd, ELISA_HOST_VCPUS, sizeof(*seen->vcpus), (void **)&seen->vcpus);
	if (seen->vcpu_count == -EINVAL)
		/* an older module does not list vCPUs */
		seen->vcpu_count = 0;
	if (seen->vcpu_count < 0)
		return seen->vcpu_count;
	seen->export_count = module_list(fd, ELISA_HOST_EXPORTS, sizeof(*seen->exports),
					 (void **)&seen->exports);
	if (seen->export_count < 0)
		return seen->export_count;
	seen->attachment_count = module_list(fd, ELISA_HOST_ATTACHMENTS, sizeof(*seen->attachments),
					     (void **)&seen->attachments);
	return seen->attachment_count < 0 ? seen->attachment_count : 0;
}

static int print_seen(const struct options *options, const struct seen *seen)
{
	if (options->output) {
		if (!metrics_write(options->output, print_all, seen))
			return 0;
		fprintf(stderr, "elisactl: %s: %s\n", options->output, strerrordesc_np(errno));
		return 1;
	}
	print_all(seen, stdout);
	return flush_output();
}

int run_metrics(const struct options *options)
{
	struct seen seen = {.vms = NULL};
	int fd = open_device(options);
	int error, status;

	if (fd < 0)
		return 1;
	error = look(fd, &seen);
	close(fd);
	status = error ? fail("metrics", -error) : print_seen(options, &seen);
	free(seen.vms);
	free(seen.vcpus);
	free(seen.exports);
	free(seen.attachments);
	return status;
}
