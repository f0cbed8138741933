/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The demo's guest: calls the manager's function in turn with the other guest, tries to
 * reach the object without it, and counts what a call costs.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <elisa/elisa.h>
#include <elisa/gate_layout.h>

#include <measure.h>
#include "object.h"

MEASURE_LOCAL_STUB(entry_function);

#define CALLS 100000

static const char *name;
static sigjmp_buf after_signal;

static void on_signal(int signal)
{
	siglongjmp(after_signal, signal);
}

static struct elisa_attachment *attach(struct elisa *elisa, const char *export_)
{
	struct elisa_attachment *made;
	int r, tries = 500;

	while ((r = elisa_attach(elisa, export_, ELISA_ATTACH_TRUST_MANAGER, NULL, 0, &made)) < 0 &&
	       (r == -EPERM || r == -ENOENT || r == -EAGAIN) && tries--)
		usleep(20000);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", name, elisa_error(elisa));
		exit(1);
	}
	printf("attached to \"%s\", %s mode\n", export_,
	       elisa_attachment_mode(made) == ELISA_MODE_STRICT ? "strict" : "trusted-manager");
	return made;
}

static struct elisa_result ask(struct elisa_attachment *attachment, long what)
{
	struct elisa_result result = elisa_call(attachment, what, 0, 0, 0, 0, 0);

	if (result.error) {
		fprintf(stderr, "%s: %s\n", name, elisa_call_strerror(result.error));
		exit(1);
	}
	return result;
}

static void take_turns(struct elisa_attachment *attachment)
{
	int turns = 0;

	while (turns < 3) {
		struct elisa_result result = ask(attachment, DEMO_TURN);

		if (result.value < 0) {
			usleep(5000);
			continue;
		}
		printf("my turn: the shared counter is now %ld\n", result.value);
		turns++;
	}
}

/* ---- what a program can try without the function */

static void read_object(unsigned int slot)
{
	(void)slot;
	printf("read %#lx\n", *(volatile long *)ELISA_OBJECT_BASE);
}

static void switch_to_sub(unsigned int slot)
{
	/* VMFUNC 0: EPTP switching to the index in ECX */
	__asm__ volatile(".byte 0x0f, 0x01, 0xd4"
			 :
			 : "a"(0), "c"(ELISA_INDEX_SUB(slot))
			 : "memory");
}

static void switch_to_gate(unsigned int slot)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xd4"
			 :
			 : "a"(0), "c"(ELISA_INDEX_GATE_IN(slot))
			 : "memory");
}

static bool blocked(const char *what, void (*attempt)(unsigned int), unsigned int slot,
		    bool in_child)
{
	int status = 0;
	int signal;

	if (in_child) {
		pid_t child = fork();

		if (!child) {
			attempt(slot);
			_exit(0);
		}
		waitpid(child, &status, 0);
		signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	} else {
		signal = sigsetjmp(after_signal, 1);
		if (!signal)
			attempt(slot);
	}
	printf("%s: %s\n", what, signal ? strsignal(signal) : "NOT STOPPED");
	return signal;
}

static bool try_without_function(struct elisa_attachment *attachment)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL};
	unsigned int slot = elisa_attachment_slot(attachment);
	bool all = true;

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], on_signal);
	all &= blocked("reading the object's address", read_object, slot, false);
	all &= blocked("VMFUNC straight into its context", switch_to_sub, slot, false);
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		signal(signals[i], SIG_DFL);
	all &= blocked("another process entering by this one's gate", switch_to_gate, slot, true);
	ask(attachment, DEMO_NOTHING);
	printf("still alive, and the next call works\n");
	return all;
}

/* ---- what it costs */

struct exits {
	uint64_t by_reason[ELISA_EXIT_REASONS], return_traps;
};

static const char *reason_name(unsigned int reason)
{
	switch (reason) {
	case 1:
		return "the host's own interrupts";
	case 7:
		return "interrupt windows";
	case 12:
		return "HLT";
	case 18:
		return "VMCALL";
	case 32:
		return "MSR writes (this kernel sets its timer)";
	case 48:
		return "EPT violations";
	case 52:
		return "KVM's timer";
	case 59:
		return "VMFUNC (a call's end, while an interrupt waited for it)";
	}
	return "others";
}

static void look(struct elisa *elisa, struct exits *exits)
{
	if (elisa_vcpu_exits(elisa, exits->by_reason, &exits->return_traps) < 0) {
		fprintf(stderr, "%s: %s\n", name, elisa_error(elisa));
		exit(1);
	}
}

/* What CALLS calls (or VMCALLs) add to the exits of this vCPU, without the look itself. */
static void count_exits(struct elisa *elisa, struct elisa_attachment *attachment,
			struct exits *exits)
{
	struct exits before;

	look(elisa, &before);
	for (int i = 0; i < CALLS; i++) {
		if (!attachment) {
			long nothing = -1;

			/* ring 3 may not make hypercalls: KVM answers -EPERM, after the exit */
			__asm__ volatile("vmcall" : "+a"(nothing) : : "memory");
		} else if (elisa_call_general(attachment, DEMO_NOTHING, 0, 0, 0, 0, 0).error) {
			exit(1);
		}
	}
	look(elisa, exits);
	for (unsigned int i = 0; i < ELISA_EXIT_REASONS; i++)
		exits->by_reason[i] -= before.by_reason[i];
	exits->by_reason[18]--;
	exits->return_traps -= before.return_traps;
}

static void show_exits(const char *what, const struct exits *exits)
{
	uint64_t all = 0;

	for (unsigned int i = 0; i < ELISA_EXIT_REASONS; i++)
		all += exits->by_reason[i];
	printf("%d %s: %llu VM exits in that time\n", CALLS, what, (unsigned long long)all);
	for (unsigned int i = 0; i < ELISA_EXIT_REASONS; i++)
		if (exits->by_reason[i])
			printf("  %8llu  %s\n", (unsigned long long)exits->by_reason[i],
			       reason_name(i));
}

/* Exits that only a call can cause: EPT violation and misconfiguration, VMCALL, VMFUNC. */
static unsigned long long caused(const struct exits *exits)
{
	return exits->by_reason[48] + exits->by_reason[49] + exits->by_reason[18] +
	       exits->by_reason[59] - exits->return_traps;
}

static void measure(struct elisa *elisa, struct elisa_attachment *strict,
		    struct elisa_attachment *trusted)
{
	struct exits in_strict, in_trusted, in_vmcall;

	count_exits(elisa, strict, &in_strict);
	show_exits("calls, strict", &in_strict);
	count_exits(elisa, trusted, &in_trusted);
	show_exits("calls, trusted manager", &in_trusted);
	count_exits(elisa, NULL, &in_vmcall);
	show_exits("VMCALLs", &in_vmcall);
	printf("measured calls=%d exits=%llu return_traps=%llu interrupts=%llu vmcall_exits=%llu "
	       "strict=%.1f trusted=%.1f\n",
	       CALLS, caused(&in_strict) + caused(&in_trusted),
	       (unsigned long long)(in_strict.return_traps + in_trusted.return_traps),
	       (unsigned long long)(in_strict.by_reason[1] + in_trusted.by_reason[1]),
	       (unsigned long long)in_vmcall.by_reason[18],
	       measure_round_trip(strict, DEMO_NOTHING), measure_round_trip(trusted, DEMO_NOTHING));
}

int main(int argc, char **argv)
{
	struct elisa_attachment *strict, *trusted;
	struct elisa *elisa;
	bool all;

	setvbuf(stdout, NULL, _IOLBF, 0);
	name = argc > 1 ? argv[1] : "a";
	if (elisa_open(NULL, &elisa) < 0) {
		fprintf(stderr, "%s: %s\n", name, elisa_error(NULL));
		return 1;
	}
	strict = attach(elisa, "demo.strict");
	trusted = attach(elisa, "demo.trusted");
	take_turns(strict);
	all = try_without_function(strict);
	printf("blocked=%d\n", all);
	if (argc > 2)
		measure(elisa, strict, trusted);
	if (elisa_detach(trusted) < 0 || elisa_detach(strict) < 0) {
		fprintf(stderr, "%s: %s\n", name, elisa_error(elisa));
		return 1;
	}
	return elisa_close(elisa) < 0 || !all;
}
