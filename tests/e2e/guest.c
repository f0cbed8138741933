/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest of the end-to-end tests. Its first argument names what it does:
 *   all       every behaviour that one process can show
 *   survivor  calls until the manager is gone, and must get an error then
 *   pcid      attaching must be refused, for this VM has PCIDs
 *   nodriver  the device must be missing
 *   stranger  what a process that was attached executes: VMFUNC is refused
 *   private   a private export is reached by its ticket, the second argument, alone
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <ucontext.h>
#include <elisa/elisa.h>
#include <elisa/gate_layout.h>

#include "check.h"
#include "function.h"

#define CALL(a, what, x, y) elisa_call(a, what, x, y, 0, 0, 0)

static struct elisa *elisa;

static struct elisa_attachment *attach(const char *name, uint32_t flags, void *buffer, size_t size)
{
	struct elisa_attachment *made;
	int r, tries = 1000;

	while ((r = elisa_attach(elisa, name, flags, buffer, size, &made)) < 0 &&
	       (r == -EPERM || r == -ENOENT || r == -EAGAIN) && tries--)
		usleep(20000);
	if (r < 0) {
		printf("FAILED attach %s: %s\n", name, elisa_error(elisa));
		exit(1);
	}
	return made;
}

static void try_bad_attach(void)
{
	struct elisa_attachment *made;
	static char unaligned[8192];

	CHECK_REFUSED(elisa, elisa_attach(elisa, "e2e.unknown", 0, NULL, 0, &made), -ENOENT,
		      ELISA_WHY_NO_EXPORT);
	CHECK_REFUSED(elisa, elisa_attach(elisa, "other", 0, NULL, 0, &made), -EPERM,
		      ELISA_WHY_NO_GRANT);
	CHECK_REFUSED(elisa, elisa_attach(elisa, "e2e.main", 0, NULL, 0, &made), -EEXIST,
		      ELISA_WHY_ATTACHED);
	CHECK_EQ(elisa_attach(elisa, "e2e.slow", 0, unaligned + 1, 4096, &made) < 0, 1);
	printf("refused: %s\n", elisa_error(elisa));
}

static void calls(struct elisa_attachment *a)
{
	struct elisa_result r = elisa_call(a, E2E_ADD, 1, 20, 300, 4000, 50000);

	CHECK_EQ(r.error, 0);
	CHECK_EQ(r.value, 54321);
	CHECK_EQ(CALL(a, E2E_TABLE, 2, 0).value, 30);
	CHECK_EQ(CALL(a, E2E_CLOBBER, 0, 0).value, 5);
	CHECK_EQ(CALL(a, E2E_FAULT, 0, 0).error, ELISA_CALL_FAULT);
	CHECK_EQ(CALL(a, E2E_SPIN, 0, 0).error, ELISA_CALL_TIMEOUT);
	CHECK_EQ(CALL(a, E2E_ADD, 3, 4).value, 7);
}

/* The function does not touch what is not in the exchange buffer. */
static void not_touched(struct elisa_attachment *a, long offset, long count)
{
	struct elisa_result r = CALL(a, E2E_SUM, offset, count);

	CHECK_EQ(r.error, ELISA_CALL_OK);
	CHECK_EQ(r.value, -1);
}

static void exchange(void)
{
	unsigned char *buffer =
		mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct elisa_attachment *a;

	memset(buffer, 1, 8192);
	a = attach("e2e.slow", 0, buffer, 8192);
	CHECK_EQ(CALL(a, E2E_SUM, 0, 100).value, 100);
	CHECK_EQ(buffer[0], 100);
	CHECK_EQ(CALL(a, E2E_SUM, 8191, 1).value, 1);
	not_touched(a, 8192, 1);
	not_touched(a, 0, 8193);
	not_touched(a, -1, 2);
	/* the object, which the function could read and write, as an address and as an offset */
	not_touched(a, ELISA_OBJECT_BASE, 8);
	not_touched(a,
		    (long)(ELISA_OBJECT_BASE - ELISA_WINDOW_BASE -
			   elisa_attachment_slot(a) * ELISA_SLOT_SIZE - ELISA_EXCHANGE_OFFSET),
		    8);
	CHECK_EQ(elisa_detach(a), 0);
}

/* ---- threads that move between vCPUs */

/* The calling thread goes to this vCPU, or to what there is of it. */
static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % (int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *count_thread(void *argument)
{
	struct elisa_attachment *a = argument;

	for (int i = 0; i < 2000; i++) {
		if (i % 100 == 0)
			move_to(i / 100);
		if (CALL(a, E2E_COUNT, 0, 0).error)
			return (void *)1;
	}
	return NULL;
}

static void threads(struct elisa_attachment *a)
{
	long before = CALL(a, E2E_COUNT, 0, 0).value;
	pthread_t thread[4];
	void *result;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread[i], NULL, count_thread, a);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &result);
		CHECK_EQ((long)result, 0);
	}
	/* other guests may count too */
	CHECK_EQ(CALL(a, E2E_COUNT, 0, 0).value >= before + 8001, 1);
}

static void *spin_thread(void *argument)
{
	struct elisa_attachment *a = argument;

	move_to(1);
	return (void *)CALL(a, E2E_SPIN, 0, 0).error;
}

static void detach_during_call(void)
{
	struct elisa_attachment *a = attach("e2e.slow", 0, NULL, 0);
	cpu_set_t everywhere;
	pthread_t thread;
	void *result;

	/* the call holds back the interrupts of its vCPU, and with them
	 * what would wake this thread */
	sched_getaffinity(0, sizeof(everywhere), &everywhere);
	move_to(0);
	pthread_create(&thread, NULL, spin_thread, a);
	usleep(30000);
	CHECK_EQ(elisa_detach(a), 0);
	pthread_join(thread, &result);
	sched_setaffinity(0, sizeof(everywhere), &everywhere);
	CHECK_EQ((long)result == ELISA_CALL_REVOKED || (long)result == ELISA_CALL_NOT_ATTACHED, 1);
}

/* ---- processes */

static int child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		body();
		_exit(failures != 0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static struct elisa_attachment *parents;

static void use_parents_stub(void)
{
	CALL(parents, E2E_COUNT, 0, 0);
}

static void use_parents_handle(void)
{
	struct elisa_attachment *made;

	CHECK_REFUSED(elisa, elisa_attach(elisa, "e2e.slow", 0, NULL, 0, &made), -EPERM,
		      ELISA_WHY_STATE);
	CHECK_EQ(!strstr(elisa_error(elisa), "belongs to another process"), 0);
}

static struct elisa_attachment *own(void)
{
	if (elisa_open(NULL, &elisa) < 0)
		_exit(1);
	return attach("e2e.slow", 0, NULL, 0);
}

static void attach_and_exec(void)
{
	static char program[] = "e2e_guest", what[] = "stranger";
	char *const arguments[] = {program, what, NULL};

	CHECK_EQ(CALL(own(), E2E_ADD, 1, 1).value, 2);
	execv("/proc/self/exe", arguments);
	failures++;
}

static volatile int undefined;

static void skip_vmfunc(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 3;
	undefined++;
}

/* The program that takes the place of one that was attached: no gate is its own. */
static int stranger(void)
{
	struct sigaction action = {.sa_sigaction = skip_vmfunc, .sa_flags = SA_SIGINFO};

	sigaction(SIGILL, &action, NULL);
	for (unsigned int slot = 0; slot < ELISA_SLOTS; slot++) {
		__asm__ volatile("vmfunc" : : "a"(0), "c"(ELISA_INDEX_GATE_IN(slot)));
		__asm__ volatile("vmfunc" : : "a"(0), "c"(ELISA_INDEX_SUB(slot)));
	}
	CHECK_EQ(undefined, 2 * ELISA_SLOTS);
	return failures != 0;
}

static void attach_and_die(void)
{
	struct elisa_attachment *a = own();

	alarm(1);
	CALL(a, E2E_SPIN, 0, 0);
	for (;;)
		pause();
}

static void attach_and_exit(void)
{
	CHECK_EQ(CALL(own(), E2E_ADD, 1, 1).value, 2);
}

/* ---- device permissions decide, not root */

static void refused_by_permissions(void)
{
	struct elisa *handle;

	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(elisa_open(NULL, &handle), -EACCES);
	printf("refused: %s\n", elisa_error(NULL));
}

static void ordinary_user(void)
{
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(CALL(own(), E2E_ADD, 1, 1).value, 2);
}

static void permissions(void)
{
	CHECK_EQ(child(refused_by_permissions), 0);
	CHECK_EQ(chmod(ELISA_DEVICE, 0666), 0);
	CHECK_EQ(child(ordinary_user), 0);
	CHECK_EQ(chmod(ELISA_DEVICE, 0600), 0);
}

static void processes(struct elisa_attachment *a)
{
	parents = a;
	CHECK_EQ(child(use_parents_stub) < 0, 1);
	CHECK_EQ(child(use_parents_handle), 0);
	CHECK_EQ(child(attach_and_exec), 0);
	CHECK_EQ(child(attach_and_die), -SIGALRM);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(child(attach_and_exit), 0);
	CHECK_EQ(CALL(a, E2E_ADD, 3, 4).value, 7);
}

static void window(struct elisa_attachment *a)
{
	void *slot = (void *)(ELISA_WINDOW_BASE + elisa_attachment_slot(a) * ELISA_SLOT_SIZE);

	CHECK_EQ(munmap(slot, 4096), -1);
	CHECK_EQ(mprotect(slot, 4096, PROT_READ | PROT_WRITE), -1);
	CHECK_EQ(mmap(slot, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			 MAP_FAILED,
		 1);
	CHECK_EQ(CALL(a, E2E_ADD, 3, 4).value, 7);
}

static int all(void)
{
	struct elisa_attachment *a = attach("e2e.main", 0, NULL, 0);

	calls(a);
	try_bad_attach();
	exchange();
	threads(a);
	detach_during_call();
	processes(a);
	permissions();
	window(a);
	CHECK_EQ(elisa_detach(a), 0);
	a = attach("e2e.main", ELISA_ATTACH_TRUST_MANAGER, NULL, 0);
	CHECK_EQ(CALL(a, E2E_ADD, 3, 4).value, 7);
	CHECK_EQ(CALL(a, E2E_FAULT, 0, 0).error, ELISA_CALL_FAULT);
	CHECK_EQ(elisa_detach(a), 0);
	CHECK_EQ(elisa_close(elisa), 0);
	return failures;
}

static int survivor(void)
{
	struct elisa_attachment *a = attach("e2e.main", 0, NULL, 0);
	struct elisa_result r;

	printf("survivor is calling\n");
	do
		r = CALL(a, E2E_COUNT, 0, 0);
	while (!r.error);
	CHECK_EQ(r.error, ELISA_CALL_REVOKED);
	CHECK_EQ(CALL(a, E2E_COUNT, 0, 0).error, ELISA_CALL_REVOKED);
	printf("the manager is gone: %s\n", elisa_call_strerror(r.error));
	CHECK_EQ(elisa_detach(a), 0);
	return failures;
}

static int private(const char *hex)
{
	uint8_t ticket[ELISA_TICKET_SIZE] = {0};
	struct elisa_attachment *a;

	CHECK_REFUSED(elisa, elisa_attach_private(elisa, ticket, 0, NULL, 0, &a), -EINVAL,
		      ELISA_OK);
	for (int i = 0; i < ELISA_TICKET_SIZE; i++)
		CHECK_EQ(sscanf(hex + 2 * i, "%2hhx", &ticket[i]), 1);
	CHECK_REFUSED(elisa, elisa_attach(elisa, "e2e.private", 0, NULL, 0, &a), -ENOENT,
		      ELISA_WHY_NO_EXPORT);
	ticket[31] ^= 1;
	CHECK_REFUSED(elisa, elisa_attach_private(elisa, ticket, 0, NULL, 0, &a), -ENOENT,
		      ELISA_WHY_NO_EXPORT);
	ticket[31] ^= 1;
	CHECK_EQ(elisa_attach_private(elisa, ticket, 0, NULL, 0, &a), 0);
	if (failures)
		return failures;
	CHECK_EQ(elisa_attachment_export_flags(a), ELISA_EXPORT_PRIVATE);
	CHECK_EQ(CALL(a, 0, 0, 0).value, 1);
	CHECK_EQ(elisa_detach(a), 0);
	return failures;
}

static int refused(uint32_t reason)
{
	struct elisa_attachment *made;
	int r, tries = 1000;

	while ((r = elisa_attach(elisa, "e2e.main", 0, NULL, 0, &made)) == -EPERM && tries--)
		usleep(20000);
	CHECK_EQ(r < 0, 1);
	CHECK_EQ(elisa_error_why(elisa, NULL), reason);
	printf("refused: %s\n", elisa_error(elisa));
	return failures;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all";
	int r;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "stranger"))
		return stranger();
	r = elisa_open(NULL, &elisa);
	if (!strcmp(what, "nodriver")) {
		CHECK_EQ(r < 0, 1);
		printf("refused: %s\n", elisa_error(NULL));
		return failures;
	}
	if (r < 0) {
		printf("FAILED %s\n", elisa_error(NULL));
		return 1;
	}
	if (!strcmp(what, "survivor"))
		r = survivor();
	else if (!strcmp(what, "pcid"))
		r = refused(ELISA_WHY_PCID);
	else if (!strcmp(what, "private") && argc > 2)
		r = private(argv[2]);
	else
		r = all();
	printf("%s: %d failures\n", what, r);
	return r != 0;
}
