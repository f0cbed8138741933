/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark's guest: every way to call, and what a user would do instead, in the same run on
 * the same machine. It prints a table, then "result" lines.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <measure.h>

MEASURE_LOCAL_STUB(entry_function);
long entry_function(long what, long a1, long a2, long a3, long a4, long a5);

static struct elisa *elisa;

static struct elisa_attachment *attach(const char *name, uint32_t flags)
{
	struct elisa_attachment *made;
	int r, tries = 1000;

	while ((r = elisa_attach(elisa, name, flags, NULL, 0, &made)) < 0 &&
	       (r == -EPERM || r == -ENOENT || r == -EAGAIN) && tries--)
		usleep(20000);
	if (r < 0) {
		fprintf(stderr, "bench: %s: %s\n", name, elisa_error(elisa));
		exit(1);
	}
	return made;
}

static void calls(const char *mode, const char *registers, uint32_t trust)
{
	struct elisa_attachment *attachment;
	char name[ELISA_NAME_SIZE];
	double cost;

	snprintf(name, sizeof(name), "bench.%s.%s", mode, registers);
	attachment = attach(name, trust);
	cost = measure_round_trip(attachment, 0);
	printf("%-8s %-8s guest %-16s %8.1f\n", mode, registers,
	       trust ? "trusts" : "does not trust", cost);
	printf("result bench=call mode=%s registers=%s guest=%s insns=%.1f\n", mode, registers,
	       trust ? "trusting" : "guarded", cost);
	elisa_detach(attachment);
}

static void instead(void)
{
	double vmcall, system_call, empty = MEASURE_LEAST(__asm__ volatile(""));

	vmcall = MEASURE_LEAST(({
			 long nothing = -1;

			 __asm__ volatile("vmcall" : "+a"(nothing) : : "memory");
		 })) -
		 empty;
	system_call = MEASURE_LEAST(syscall(SYS_getppid)) - empty;
	printf("VMCALL (refused by KVM: the cheapest)   %8.1f\n"
	       "system call (getppid)       %20.1f\n",
	       vmcall, system_call);
	printf("result bench=instead vmcall_insns=%.1f syscall_insns=%.1f\n", vmcall, system_call);
}

/* Measures attach and detach: guest driver, host module and the set-up of this one vCPU. */
static void sizes(void)
{
	static const char *const size[] = {"4KiB", "1MiB", "64MiB"};

	for (unsigned int i = 0; i < 3; i++) {
		unsigned long long least_attach = ~0ULL, least_detach = ~0ULL, start, spent;
		char name[ELISA_NAME_SIZE];

		snprintf(name, sizeof(name), "bench.strict.%s", size[i]);
		for (int j = 0; j < 40; j++) {
			struct elisa_attachment *made;

			start = __rdtsc();
			made = attach(name, 0);
			spent = __rdtsc() - start;
			if (spent < least_attach)
				least_attach = spent;
			start = __rdtsc();
			elisa_detach(made);
			spent = __rdtsc() - start;
			if (spent < least_detach)
				least_detach = spent;
		}
		printf("attach, object of %-6s %22llu\ndetach %39llu\n", size[i], least_attach,
		       least_detach);
		printf("result bench=attach size=%s attach_insns=%llu detach_insns=%llu\n", size[i],
		       least_attach, least_detach);
	}
}

int main(void)
{
	static const char *const modes[] = {"strict", "trusted"};
	struct elisa_attachment *kept;

	if (elisa_open(NULL, &elisa) < 0) {
		fprintf(stderr, "bench: %s\n", elisa_error(NULL));
		return 1;
	}
	/* one attachment stays, so that no measurement includes arming the host's hooks */
	kept = attach("bench.strict.any", 0);
	printf("instructions from call to return, the function's own not counted:\n");
	for (int i = 0; i < 4; i++) {
		calls(modes[i % 2], "general", i < 2 ? ELISA_ATTACH_TRUST_MANAGER : 0);
		calls(modes[i % 2], "full", i < 2 ? ELISA_ATTACH_TRUST_MANAGER : 0);
	}
	instead();
	sizes();
	elisa_detach(kept);
	return elisa_close(elisa) < 0;
}
