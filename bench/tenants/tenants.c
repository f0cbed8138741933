// SPDX-License-Identifier: Apache-2.0
/*
 * One tenant beside a hostile one: how long the victim's requests take alone, and while another VMM
 * storms the host. There are two processors. The victim's process is bound to the first one, and
 * the hostile process to the second one. So the measurement shows what they share in the host, not
 * a shared processor. The victim's requests are timed in the same run, without a storm and in each
 * storm. They are timed by the clock, and by the processor time of the victim's thread.
 *
 * The emulator runs the processors in turn, and its clock follows the average of what they have
 * executed. So a microsecond is more or fewer of the victim's instructions, depending on what its
 * neighbour executes. Therefore the victim times a fixed number of system calls that have nothing
 * to do with ELISA, right before and after each request. Their time is the unit of a request's
 * time.
 *
 * The storms run at the host's default pace for requests, and once more without any limit.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "tenants.h"

#define TRIES	   61
#define GSI	   5
#define VECTOR	   0x45
#define MAP_PAGES  64
#define CALLS	   500
#define UNIT_CALLS 200
#define RATE	   "/sys/module/elisa/parameters/calls_per_second"
#define RING_LIMIT 200000 /* us */

/* ---- a tenant */

struct tenant tenant_new(const char *name, uint32_t flags, uint32_t limit_us)
{
	struct tenant tenant = {.manager = vm_new(1), .guest = vm_new(1)};
	struct elisa_hc_page *page = tenant.manager->page;

	strncpy(tenant.name, name, sizeof(tenant.name) - 1);
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, name, 0) > 0);
	tenant.id = export_new(tenant.manager, name, ELISA_EXPORT_GENERAL_REGS | flags, limit_us);
	memset(page, 0, PAGE_SIZE);
	page->places = (struct elisa_hc_places){tenant.id, 4, PLACES, PLACE_PAGES};
	CHECK_EQ(hypercall(tenant.manager, 0, ELISA_HC_EXPORT_PLACES), 0);
	return tenant;
}

uint32_t tenant_attach(struct tenant *tenant, struct vm *vm)
{
	uint32_t slot;
	int i;

	CHECK_EQ(attach_try(vm, tenant->name, 0), 0);
	slot = vm->page->attach.slot;
	for (i = 0; i < VCPUS && vm->vcpu[i] >= 0; i++)
		CHECK_EQ(hypercall(vm, i, ELISA_HC_VCPU_SYNC), 0);
	return slot;
}

void tenant_map(struct tenant *tenant, unsigned int pages)
{
	struct elisa_hc_map *map = &tenant->manager->page->map;
	unsigned int i;

	memset(tenant->manager->page, 0, PAGE_SIZE);
	map->id = tenant->id;
	map->prot = ELISA_PROT_READ | ELISA_PROT_WRITE;
	map->offset = 2 * PLACES;
	map->count = pages;
	for (i = 0; i < pages; i++)
		map->gpa[i] = OBJECT + 0x100000 + i * PAGE_SIZE;
	CHECK_EQ(hypercall(tenant->manager, 0, ELISA_HC_EXPORT_MAP), 0);
}

void tenant_unmap(struct tenant *tenant, unsigned int pages)
{
	memset(tenant->manager->page, 0, PAGE_SIZE);
	tenant->manager->page->unmap =
		(struct elisa_hc_unmap){.id = tenant->id, .offset = 2 * PLACES, .count = pages};
	CHECK_EQ(hypercall(tenant->manager, 0, ELISA_HC_EXPORT_UNMAP), 0);
}

void tenant_doorbell(struct vm *vm, uint32_t gsi)
{
	memset(vm->page, 0, PAGE_SIZE);
	vm->page->doorbell.gsi = gsi;
	CHECK_EQ(hypercall(vm, 0, ELISA_HC_DOORBELL), 0);
}

/* ---- the victim's requests */

struct victim {
	struct tenant tenant;
	struct vm *sleeper;
	uint32_t slot; /* slot of the guest that calls */
	uint64_t attachment;
};

static void take_interrupts(struct vm *vm)
{
	struct kvm_regs regs = {.rsi = 100, .rflags = 0x200};

	CHECK_EQ(run_at(vm, 0, 3, user_code(user_spin), &regs).exit, 0);
}

/* Routes the doorbell's pin to the first vCPU. */
static void open_pin(struct vm *vm)
{
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	struct kvm_lapic_state lapic;

	SYS(ioctl(vm->fd, KVM_GET_IRQCHIP, &chip));
	chip.chip.ioapic.redirtbl[GSI].bits = VECTOR;
	SYS(ioctl(vm->fd, KVM_SET_IRQCHIP, &chip));
	mask_pic(vm);
	SYS(ioctl(vm->vcpu[0], KVM_GET_LAPIC, &lapic));
	lapic.regs[0xf1] |= 1; /* enables the APIC, SDM vol. 3 11.9 */
	SYS(ioctl(vm->vcpu[0], KVM_SET_LAPIC, &lapic));
}

static struct victim victim_new(void)
{
	struct victim victim = {.tenant = tenant_new("victim", 0, 0), .sleeper = vm_new(1)};

	/* the sleeper has place 0 */
	attach(victim.sleeper, "victim", ELISA_STUB_TRUSTING, 0);
	open_pin(victim.sleeper);
	tenant_doorbell(victim.sleeper, GSI);
	victim.slot = attach(victim.tenant.guest, "victim", ELISA_STUB_TRUSTING, 0);
	victim.attachment = 2;
	return victim;
}

static void detach_first(struct victim *victim)
{
	CHECK_EQ(detach(victim->tenant.guest, 0, victim->slot), 0);
}

static void op_attach(struct victim *victim)
{
	victim->slot = tenant_attach(&victim->tenant, victim->tenant.guest);
	victim->attachment++;
}

static void op_revoke(struct victim *victim)
{
	struct elisa_hc_page *page = victim->tenant.manager->page;

	memset(page, 0, PAGE_SIZE);
	page->evict.id = victim->tenant.id;
	page->evict.attachment = victim->attachment;
	CHECK_EQ(hypercall(victim->tenant.manager, 0, ELISA_HC_EVICT), 0);
}

static void attach_again(struct victim *victim)
{
	detach_first(victim);
	op_attach(victim);
}

static void op_map(struct victim *victim)
{
	tenant_map(&victim->tenant, MAP_PAGES);
}

static void unmap_after(struct victim *victim)
{
	tenant_unmap(&victim->tenant, MAP_PAGES);
}

static void op_ring(struct victim *victim)
{
	uint64_t before = seen(victim->sleeper)->interrupts;

	CHECK_EQ(call(victim->tenant.guest, 0, victim->slot, DO_RING, 0, 7).value, 7);
	while (seen(victim->sleeper)->interrupts == before)
		take_interrupts(victim->sleeper);
}

static void op_call(struct victim *victim)
{
	uint64_t cycles;

	CHECK_EQ(call_loop(victim->tenant.guest, 0, victim->slot, DO_ADD, CALLS, &cycles).error, 0);
}

static void nothing(struct victim *victim)
{
	(void)victim;
}

static const struct op {
	const char *name;
	void (*before)(struct victim *victim), (*timed)(struct victim *victim),
		(*after)(struct victim *victim);
} ops[] = {
	{"attach", detach_first, op_attach, nothing}, {"revoke", nothing, op_revoke, attach_again},
	{"map", nothing, op_map, unmap_after},	      {"ring", nothing, op_ring, nothing},
	{"call", nothing, op_call, nothing},
};
#define OPS (sizeof(ops) / sizeof(ops[0]))

/* ---- time */

struct cost {
	double time, thread; /* in units */
	double us;
};

static double now(clockid_t clock)
{
	struct timespec t;

	CHECK(!clock_gettime(clock, &t));
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Returns the length of the unit in us. */
static double unit(void)
{
	double time = -now(CLOCK_MONOTONIC);
	int i;

	for (i = 0; i < UNIT_CALLS; i++)
		syscall(SYS_getppid);
	return time + now(CLOCK_MONOTONIC);
}

static double middle(double *values)
{
	qsort(values, TRIES, sizeof(values[0]), by_value);
	return values[TRIES / 2];
}

static struct cost cost_of(struct victim *victim, const struct op *op)
{
	double time[TRIES], thread[TRIES], us[TRIES], one;
	int i;

	for (i = 0; i < TRIES; i++) {
		op->before(victim);
		one = unit();
		thread[i] = -now(CLOCK_THREAD_CPUTIME_ID);
		time[i] = -now(CLOCK_MONOTONIC);
		op->timed(victim);
		time[i] += now(CLOCK_MONOTONIC);
		thread[i] += now(CLOCK_THREAD_CPUTIME_ID);
		one = (one + unit()) / 2;
		op->after(victim);
		us[i] = time[i];
		time[i] /= one;
		thread[i] /= one;
	}
	return (struct cost){middle(time), middle(thread), middle(us)};
}

/* ---- the hostile process */

static volatile struct word {
	bool stop;
	uint64_t turns, idle;
} * word;

static void on_processor(int which)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(which, &set);
	SYS(sched_setaffinity(0, sizeof(set), &set));
}

/*
 * Keeps the second processor busy: the emulator's clock runs slower while a processor is idle. A
 * process takes what the hostile one leaves.
 */
static void keep_busy(void)
{
	struct sched_param parameter = {0};

	if (SYS(fork()))
		return;
	SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
	on_processor(1);
	SYS(sched_setscheduler(0, SCHED_IDLE, &parameter));
	while (true)
		word->idle++;
}

static void be_hostile(const struct storm *storm)
{
	struct tenant tenant;

	SYS(prctl(PR_SET_PDEATHSIG, SIGKILL));
	on_processor(1);
	tenant = tenant_new("hostile", ELISA_EXPORT_POISON, RING_LIMIT);
	while (!word->stop) {
		storm->once(&tenant);
		word->turns++;
	}
	exit(0);
}

/* Waits until the storm has used up what a VMM may save up for requests, or turns out to ask for
 * too little. */
static void wait_until_throttled(void)
{
	uint64_t before = counter(ELISA_COUNT_THROTTLED);
	int i;

	for (i = 0; i < 40 && counter(ELISA_COUNT_THROTTLED) < before + 10; i++)
		usleep(100000);
}

static pid_t start_storm(const struct storm *storm)
{
	pid_t pid;

	word->stop = false;
	word->turns = 0;
	pid = SYS(fork());
	if (!pid)
		be_hostile(storm);
	while (word->turns < 2)
		usleep(1000);
	return pid;
}

static void stop_storm(pid_t pid)
{
	int status;

	word->stop = true;
	SYS(waitpid(pid, &status, 0));
	CHECK_EQ(status, 0);
}

static void measure(struct victim *victim, const struct storm *storm, bool paced)
{
	struct cost alone[OPS], beside;
	uint64_t turns;
	pid_t pid;
	unsigned int i;

	for (i = 0; i < OPS; i++)
		alone[i] = cost_of(victim, &ops[i]);
	pid = start_storm(storm);
	if (paced)
		wait_until_throttled();
	for (i = 0; i < OPS; i++) {
		turns = word->turns;
		beside = cost_of(victim, &ops[i]);
		printf("result bench=tenants storm=%s op=%s pace=%s ratio=%.2f thread_ratio=%.2f "
		       "alone_us=%.1f beside_us=%.1f turns=%llu\n",
		       storm->name, ops[i].name, paced ? "default" : "none",
		       beside.time / alone[i].time, beside.thread / alone[i].thread, alone[i].us,
		       beside.us, (unsigned long long)(word->turns - turns));
	}
	stop_storm(pid);
}

static void set_rate(const char *rate)
{
	FILE *file = fopen(RATE, "w");

	CHECK(file);
	CHECK(fputs(rate, file) >= 0);
	CHECK(!fclose(file));
}

static void read_rate(char *rate, int size)
{
	FILE *file = fopen(RATE, "r");

	CHECK(file && fgets(rate, size, file));
	fclose(file);
}

int main(void)
{
	struct victim victim;
	char rate[32];
	unsigned int i;

	word = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(word != MAP_FAILED);
	keep_busy();
	on_processor(0);
	read_rate(rate, sizeof(rate));
	victim = victim_new();
	for (i = 0; i < storm_count; i++) {
		set_rate(rate);
		measure(&victim, &storms[i], true);
		set_rate("0");
		measure(&victim, &storms[i], false);
	}
	set_rate(rate);
	return 0;
}
