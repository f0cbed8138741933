/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The export's code: what becomes of a guest's call that stops in the middle, and of the manager's
 * own, stopped after any one instruction.
 */
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_sub.h"

static void a_call_that_stopped_is_cleaned_up_once(void **unused)
{
	struct vmnet_sender *sender = &state->port[1].sender[3];
	struct nic a;

	(void)unused;
	bring_up(&a, 1);
	/* stopped in the middle: the host has counted its abort */
	sender->inside = 1;
	sender->aborts = 4;
	as(1, 11, 3);
	self->aborts = 5;
	assert_int_equal(entry_function(VMNET_FORWARD, 0, 0, 0, 0, 0), -VMNET_STOPPED);
	/* other vCPUs of the guest go on */
	assert_int_equal(forward(1, 11, 2), 0);
	/* an older abort, another attachment's, another vCPU's: not this call */
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 4, 11), 0);
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 5, 10), 0);
	assert_int_equal(manager(VMNET_ABORTED, 1, 2, 5, 11), 0);
	assert_int_equal(manager(VMNET_ABORTED, 1, 1000, 5, 11), 0);
	assert_int_equal(sender->inside, 1);
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 5, 11), 0);
	assert_int_equal(sender->inside, 0);
	assert_int_equal(forward(1, 11, 3), 0);
	/* a vCPU that there is no room for */
	assert_int_equal(forward(1, 11, VMNET_VCPUS), -VMNET_TOO_MANY_VCPUS);
}

/* Of what a stopped call held, only others' queues are told, and of its own port: the receiver has
 * nothing to do with it. */
static void what_a_stopped_call_took_from_others(void **unused)
{
	struct rvs_txq *own_queue = rvs_txq_at(rvs, 1 * sizes.queues);
	struct rvs_rxq *others = rvs_rxq_at(rvs, 2 * sizes.queues);
	const uint32_t lock = 1 * VMNET_VCPUS + 3 + 1;
	struct nic a, b;

	(void)unused;
	bring_up(&a, 1);
	bring_up(&b, 2);
	state->port[1].sender[3].inside = 1;
	own_queue->lock = lock;
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 1, 11), 0);
	assert_int_equal(own_queue->lock, 0);
	state->port[1].sender[3].inside = 1;
	own_queue->lock = others->lock = lock;
	assert_int_equal(manager(VMNET_ABORTED, 2, 3, 1, 12), 0);
	assert_int_equal(manager(VMNET_GONE, 2, 12, 0, 0), 0);
	assert_int_equal(others->lock, lock);
	assert_int_equal(manager(VMNET_ABORTED, 1, 3, 1, 11), 1);
	assert_int_equal(others->lock, 0);
	state->port[1].sender[3].inside = 1;
	own_queue->lock = others->lock = lock;
	assert_int_equal(manager(VMNET_GONE, 1, 11, 0, 0), 1);
	assert_int_equal(others->lock, 0);
}

/*
 * The manager's calls, stopped after an instruction, by the CPU's trap flag. At a part of them a
 * child goes on as if the call had ended there, and says by its exit status whether all is well.
 */
static struct {
	uint32_t instructions, children, failures;
	uint32_t all; /* 0: they are being counted */
	long op;
	bool (*goes_on)(long op);
} stopped;

/* All is at the beginning and the end: between them are loops over all VLANs. */
static bool is_of_interest(uint32_t n)
{
	const uint32_t left = stopped.all - n;

	return stopped.all &&
	       ((n < 240 && n % 16 == 0) || (left < 480 && left % 12 == 0) || n % 9973 == 0);
}

static void at_instruction(int signal)
{
	int status;
	pid_t child;

	(void)signal;
	if (!is_of_interest(++stopped.instructions))
		return;
	stopped.children++;
	child = fork();
	if (!child)
		_exit(!stopped.goes_on(stopped.op));
	if (child < 0 || waitpid(child, &status, 0) != child || status) {
		stopped.failures++;
		print_message("operation %ld, stopped after %u instructions\n", stopped.op,
			      stopped.instructions);
	}
}

static long step(long op, long a1, long a2)
{
	const struct sigaction trap = {.sa_handler = at_instruction};
	long value;

	stopped.instructions = stopped.children = stopped.failures = 0;
	sigaction(SIGTRAP, &trap, NULL);
	as(VMNET_MANAGER, 1, 0);
	__asm__ volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
	value = entry_function(op, a1, a2, 0, 0, 0);
	__asm__ volatile("pushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq" : : : "memory", "cc");
	signal(SIGTRAP, SIG_DFL);
	return value;
}

/* How many instructions it has; a child makes the call. */
static uint32_t count_steps(long op, long a1, long a2)
{
	uint32_t *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			       0),
		 all;
	pid_t child;

	assert_ptr_not_equal(count, MAP_FAILED);
	stopped.all = 0;
	child = fork();
	if (!child) {
		step(op, a1, a2);
		*count = stopped.instructions;
		_exit(0);
	}
	waitpid(child, NULL, 0);
	all = *count;
	munmap(count, 4096);
	return all;
}

static long step_manager(long op, long a1, long a2, bool (*goes_on)(long op))
{
	const uint32_t all = count_steps(op, a1, a2);
	long value;

	assert_true(all > 100);
	stopped.all = all;
	stopped.op = op;
	stopped.goes_on = goes_on;
	value = step(op, a1, a2);
	print_message("%u instructions, stopped after %u of them\n", stopped.instructions,
		      stopped.children);
	assert_true(stopped.children > 20);
	assert_int_equal(stopped.failures, 0);
	return value;
}

static struct nic one, two;

static bool looks_until(uint32_t place, long link)
{
	for (int i = 0; i < 4; i++)
		if (manager(VMNET_LOOK, place, 0, 0, 0) == link)
			return true;
	return false;
}

/* As good as a port of which no call was stopped: frames go, and its address is its own until it
 * goes. */
static bool is_as_new(uint32_t attachment)
{
	const uint32_t before = rvif_ring_completed(&two.rx);
	struct nic three;
	uint32_t seen;

	if (!looks_until(1, VMNET_UP))
		return false;
	post(&one, 2, 1);
	if (forward(1, attachment, 0) || rvif_ring_completed(&two.rx) != before + 1)
		return false;
	make_nic(&three, 3);
	rvif_header(&three.vnic)->config.mac[5] = 1;
	as(3, 13, 0);
	if (entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0) ||
	    manager(VMNET_LOOK, 3, 0, 0, 0) != VMNET_REFUSED + (RVIF_MAC_IN_USE << 8))
		return false;
	rvif_store(&rvif_header(&one.vnic)->driver.state, RVIF_DRIVER_DOWN);
	seen = !looks_until(1, VMNET_DOWN) || rvif_attached(&one.vnic) != 0;
	rvif_start(&three.vnic);
	return !seen && looks_until(3, VMNET_UP);
}

static bool goes_on_with_the_same(long op)
{
	manager(op, 1, 0, 0, 0);
	return is_as_new(11);
}

/* Another VM has the place. */
static bool goes_on_with_another(long op)
{
	manager(op, 1, 11, 0, 0);
	make_nic(&one, 1);
	as(1, 77, 0);
	if (entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0))
		return false;
	return state->port[1].sender[3].inside == 0 && is_as_new(77);
}

static bool goes_on_when_it_is_down(long op)
{
	manager(op, 1, 0, 0, 0);
	if (!looks_until(1, VMNET_DOWN) || rvif_attached(&one.vnic) != 0)
		return false;
	rvif_start(&one.vnic);
	return is_as_new(11);
}

static void the_manager_is_stopped_anywhere(void **unused)
{
	(void)unused;
	bring_up(&two, 2);
	make_nic(&one, 1);
	as(1, 11, 0);
	assert_int_equal(entry_function(VMNET_JOIN, VMNET_VERSION, 0, 0, 0, 0), 0);
	assert_int_equal(step_manager(VMNET_LOOK, 1, 0, goes_on_with_the_same), VMNET_WENT_UP);
	rvif_store(&rvif_header(&one.vnic)->driver.state, RVIF_DRIVER_DOWN);
	assert_int_equal(step_manager(VMNET_LOOK, 1, 0, goes_on_when_it_is_down), VMNET_WENT_DOWN);
	rvif_start(&one.vnic);
	assert_true(looks_until(1, VMNET_UP));
	/* a call of its guest was stopped with two queues */
	state->port[1].sender[3].inside = 1;
	rvs_txq_at(rvs, 1 * sizes.queues)->lock = 1 * VMNET_VCPUS + 3 + 1;
	rvs_rxq_at(rvs, 2 * sizes.queues)->lock = 1 * VMNET_VCPUS + 3 + 1;
	assert_int_equal(step_manager(VMNET_GONE, 1, 11, goes_on_with_another), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SUB_TEST(a_call_that_stopped_is_cleaned_up_once),
		SUB_TEST(what_a_stopped_call_took_from_others),
		SUB_TEST(the_manager_is_stopped_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
