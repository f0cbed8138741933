// SPDX-License-Identifier: Apache-2.0
/*
 * The module's tracepoints. What a VM does must make the lines that docs/observing.md describes,
 * and no others.
 *
 * The numbers in the lines must be those of the host's lists. An interrupt may fall into any call,
 * so lines about interrupted calls are checked separately.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "harness.h"

#define TRACING	  "/sys/kernel/tracing/"
#define CR4_PCIDE (1 << 17)
#define MOST	  (64 << 10)

static struct vm *manager, *guest;
static uint32_t id, slot, manager_id, guest_id;
static char lines[MOST], *at;

static void put(const char *file, const char *text)
{
	int fd = SYS(open(file, O_WRONLY | O_TRUNC));

	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Switches tracing on. Returns false if this kernel has no tracefs. */
static bool begin(void)
{
	if (mount("none", TRACING, "tracefs", 0, NULL) && errno != EBUSY)
		return false;
	put(TRACING "trace", "");
	put(TRACING "events/elisa/enable", "1");
	return true;
}

/* Takes the lines since the last call. next_line() starts at the first of them. */
static void look(void)
{
	int fd = SYS(open(TRACING "trace", O_RDONLY));
	size_t size = 0;
	ssize_t n;

	while ((n = SYS(read(fd, lines + size, MOST - 1 - size))) > 0)
		size += (size_t)n;
	close(fd);
	CHECK(size < MOST - 1);
	lines[size] = 0;
	at = lines;
	put(TRACING "trace", "");
}

static bool is_interruption(const char *line)
{
	return !strncmp(line, "suspend:", 8) || !strncmp(line, "resume:", 7) ||
	       !strncmp(line, "return_trap:", 12);
}

/* Returns the text of the next line behind its time and "elisa_", or "" after the last line. */
static const char *next_line(bool interruptions)
{
	char *found, *end;

	do {
		found = strstr(at, ": elisa_");
		if (!found)
			return "";
		end = strchr(found, '\n');
		CHECK(end);
		*end = 0;
		at = end + 1;
	} while (is_interruption(found + 8) != interruptions);
	return found + 8;
}

/* Checks the next line that is not about an interrupted call. */
__attribute__((format(printf, 1, 2))) static void expect(const char *format, ...)
{
	const char *line = next_line(false);
	char wanted[256];
	va_list list;

	va_start(list, format);
	vsnprintf(wanted, sizeof(wanted), format, list);
	va_end(list);
	if (!strcmp(line, wanted))
		return;
	printf("FAILED: '%s', not '%s'\n", line, wanted);
	exit(1);
}

static void expect_end(void)
{
	expect("%s", "");
}

static uint32_t vm_with(bool exports)
{
	struct elisa_host_vm vms[4];
	int i, n = admin_list(ELISA_HOST_VMS, vms, sizeof(vms[0]), 4);

	for (i = 0; i < n; i++)
		if (!!vms[i].exports == exports)
			return vms[i].id;
	CHECK(!"a VM is missing");
	return 0;
}

static void attached_once(void)
{
	slot = attach(guest, "t.trace", ELISA_STUB_TRUSTING, 0);
	manager_id = vm_with(true);
	guest_id = vm_with(false);
	look();
	expect("arm: error=0");
	expect("attach: vm=%u slot=%u export=%u attachment=1 name=t.trace", guest_id, slot, id);
	expect_end();
}

static void calls(void)
{
	unsigned long long offset;
	const char *line;
	int used;

	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	look();
	expect_end();
	CHECK_EQ(call(guest, 0, slot, DO_UD, 0, 0).error, ELISA_CALL_FAULT);
	look();
	line = next_line(false);
	used = sscanf(
		line,
		"abort: vm=%*u vcpu=0 slot=%*u export=%*u attachment=1 reason=FAULT offset=%llx",
		&offset);
	if (used != 1 || offset + 1 >= (unsigned long long)(functions_end - functions) ||
	    functions[offset] != 0x0f || functions[offset + 1] != 0x0b) {
		printf("FAILED: '%s' is not where its UD2 is\n", line);
		exit(1);
	}
	expect_end();
	CHECK_EQ(call(guest, 0, slot, DO_RING, 7, 5).value, 5);
	look();
	expect("ring: vm=%u vcpu=0 slot=%u export=%u place=7", guest_id, slot, id);
	expect_end();
}

/* A signal of the VMM interrupts a call. Each suspend must be followed by its resume. */
static void interruptions(void)
{
	unsigned int suspended = 0, vm, from;
	unsigned long long offset, ns;
	const char *line;
	char exit_[32];

	wait_in_sub(guest, 0, slot, manager);
	let_go(manager);
	CHECK_EQ(finish(guest, 0).error, ELISA_CALL_OK);
	look();
	while (*(line = next_line(true))) {
		if (sscanf(line, "suspend: vm=%u vcpu=0 slot=%u exit=%31s offset=%llx", &vm, &from,
			   exit_, &offset) == 4) {
			CHECK_EQ(suspended, 0);
			CHECK_EQ(vm, guest_id);
			CHECK_EQ(from, slot);
			suspended = 1;
		} else if (sscanf(line, "resume: vm=%u vcpu=0 slot=%u suspended_ns=%llu", &vm,
				  &from, &ns) == 3) {
			CHECK_EQ(suspended, 1);
			CHECK(ns);
			suspended = 2;
		}
		suspended = suspended == 2 ? 0 : suspended;
	}
	CHECK_EQ(suspended, 0);
	CHECK(strstr(exit_, "EXTERNAL_INTERRUPT"));
	at = lines;
}

static void closed(void)
{
	struct kvm_sregs good = get_sregs(guest, 0), other = good;

	other.cr4 |= CR4_PCIDE;
	CHECK_EQ(set_sregs(guest, 0, &other), 0);
	look();
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).error, ELISA_CALL_CLOSED);
	look();
	expect("closed: vm=%u vcpu=0 reason=pcid", guest_id);
	expect_end();
	CHECK_EQ(set_sregs(guest, 0, &good), 0);
	CHECK_EQ(call(guest, 0, slot, DO_ADD, 1, 2).value, 3);
	look();
	expect_end();
}

static void ends(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->evict = (struct elisa_hc_evict){.id = id, .attachment = 1};
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EVICT), 0);
	look();
	expect("evict: vm=%u slot=%u export=%u attachment=1 name=t.trace", guest_id, slot, id);
	expect("revoke: vm=%u slot=%u export=%u attachment=1 name=t.trace", guest_id, slot, id);
	expect_end();
	CHECK_EQ(detach(guest, 0, slot), 0);
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
	look();
	expect("detach: vm=%u slot=%u export=%u attachment=1 name=t.trace", guest_id, slot, id);
	expect("closed: vm=%u vcpu=0 reason=not-attached", guest_id);
	expect_end();
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->unmap = (struct elisa_hc_unmap){.id = id, .count = 1};
	CHECK_EQ(hypercall(manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
	look();
	expect("flush: vm=%u export=%u", manager_id, id);
	expect_end();
	/* the host removes the hooks some time after the last attachment ended */
	sleep(4);
	look();
	expect("disarm: error=0");
	expect_end();
}

/*
 * Loads the module again, so that no hooks of another test are left. Work items of that test may
 * still hold the module.
 */
static void load_anew(void)
{
	int r = module_unload(), i;

	for (i = 0; i < 100 && (r == -EAGAIN || r == -EBUSY); i++) {
		usleep(100000);
		r = module_unload();
	}
	CHECK_EQ(r, 0);
	CHECK_EQ(module_load(), 0);
}

int main(void)
{
	load_anew();
	if (!begin()) {
		printf("trace: not tried, this kernel has no tracefs\n");
		return 0;
	}
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	manager = vm_new(1);
	guest = vm_new(1);
	id = export_new(manager, "t.trace", ELISA_EXPORT_GENERAL_REGS, 60000000);
	attached_once();
	calls();
	interruptions();
	closed();
	ends();
	put(TRACING "events/elisa/enable", "0");
	printf("trace: attach, calls, interruptions, closed, ends: each line once\n");
	return 0;
}
