// SPDX-License-Identifier: Apache-2.0
/*
 * Each allocation of a request fails once, in turn.
 *
 * The kernel's fault injection makes the n-th allocation of this thread fail
 * (Documentation/fault-injection), for n = 1, 2, ... until the request ends before its n-th
 * allocation. A request with very many allocations, most of them alike, takes larger steps after
 * the first ones. After each failure the host must know what it knew before, and the same request
 * must succeed without failures. Then several allocations of one request fail at random, so that
 * the error paths are disturbed, too. At the end, the memory cgroup's counts must show that no
 * memory is left.
 *
 * Before that, another tenant in its own cgroup makes each request without failures. The kernel
 * charges a directory entry or inode to the cgroup of the first process that looks at it, and keeps
 * some of them. So these are charged to the first tenant, and not to the one that the test judges.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../gate/gate_page.h"
#include "../machine/harness.h"

#define CGROUPS	 "/sys/fs/cgroup/"
#define FAR	 ((1ULL << 30) - PAGE_SIZE) /* two pages in two GiBs: all levels are new */
#define PLACES	 (8ULL << 30)
#define GIVEN	 (OBJECT + 0x200000)
#define MOST	 5000 /* allocations that a request may need */
#define EACH	 50   /* the first ones fail one by one, with any step */
#define STORMS	 20   /* tries in which many allocations fail */
#define STORMY	 20   /* per cent */
#define PATIENCE 1000 /* times 10 ms until the memory must be released */

extern const uint8_t do_vmcall[];

static struct vm *manager, *guest, *stranger;
static uint32_t id, slot;
static long nth; /* the allocation that fails; 0: none; STORM: many */
#define STORM -1
static bool reached;	     /* the n-th allocation was reached */
static unsigned int gave_up; /* KVM's own allocations: KVM_RUN failed, the guest went on */

/* ---- failures */

static void put(const char *file, const char *text)
{
	int fd = SYS(open(file, O_WRONLY));

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* This thread's files of fault injection. They stay open, as opening a file allocates memory. */
static int nth_file, storm_file;

static void tell(int file, long number)
{
	char text[20];
	int length = sprintf(text, "%ld", number);

	CHECK_EQ(pwrite(file, text, length, 0), length);
}

static void arm(void)
{
	tell(storm_file, nth == STORM);
	tell(nth_file, nth > 0 ? nth : 0);
}

static void disarm(void)
{
	char left[20] = "";

	CHECK(pread(nth_file, left, sizeof(left) - 1, 0) > 0);
	reached = !strtol(left, NULL, 10);
	tell(nth_file, 0);
	tell(storm_file, 0);
}

/* A hypercall during which allocations fail. What KVM itself could not do
 * it does when asked again. */
static int disturbed(struct vm *vm, int vcpu, uint32_t call)
{
	struct kvm_regs regs = {.rax = ELISA_HC_RAX, .rbx = ELISA_HC_MAGIC, .rcx = HYPERCALL_PAGE};
	int r, error;

	vm->page->call = call;
	start_at(vm, vcpu, 0, kernel_code(do_vmcall), &regs);
	arm();
	r = ioctl(vm->vcpu[vcpu], KVM_RUN, 0);
	error = errno;
	disarm();
	if (r) {
		CHECK(error == ENOMEM || error == EFAULT);
		gave_up++;
		CHECK_EQ(finish(vm, vcpu).exit, 0);
	}
	SYS(ioctl(vm->vcpu[vcpu], KVM_GET_REGS, &regs));
	CHECK_EQ(regs.rbx, ELISA_HC_REPLY);
	return regs.rcx;
}

/* ---- what the host knows */

struct state {
	int vms, exports, attachments, vcpus;
	uint64_t pages;
	long pins;
};

static struct state now(void)
{
	struct elisa_host_vm vms[8];
	struct elisa_host_export exports[8];
	struct elisa_host_attachment attachments[8];
	struct state s = {0};
	int i;

	s.vms = admin_list(ELISA_HOST_VMS, vms, sizeof(vms[0]), 8);
	s.exports = admin_list(ELISA_HOST_EXPORTS, exports, sizeof(exports[0]), 8);
	s.attachments = admin_list(ELISA_HOST_ATTACHMENTS, attachments, sizeof(attachments[0]), 8);
	CHECK(s.vms <= 8 && s.exports <= 8 && s.attachments <= 8);
	for (i = 0; i < s.vms; i++)
		s.pages += vms[i].pages;
	for (i = 0; i < s.attachments; i++)
		s.vcpus += attachments[i].vcpus;
	/* each processor's share of the counts is added to the whole */
	CHECK_EQ(system("cat /proc/sys/vm/stat_refresh >/dev/null"), 0);
	s.pins = kernel_pins();
	return s;
}

static void check_same(const struct state *a, const struct state *b)
{
	CHECK_EQ(a->vms, b->vms);
	CHECK_EQ(a->exports, b->exports);
	CHECK_EQ(a->attachments, b->attachments);
	CHECK_EQ(a->vcpus, b->vcpus);
	CHECK_EQ(a->pages, b->pages);
	CHECK_EQ(a->pins, b->pins);
}

/* ---- requests */

/* Waits until the hooks are removed, some time after the last attachment ended. */
static void no_hooks(void)
{
	int i;

	for (i = 0; i < PATIENCE && (host_flags() & ELISA_HOST_ARMED); i++) {
		/* a vCPU releases the hooks at an entry without an attachment */
		hypercall(guest, 0, ELISA_HC_HELLO);
		hypercall(guest, 1, ELISA_HC_HELLO);
		usleep(10000);
	}
	CHECK(!(host_flags() & ELISA_HOST_ARMED));
}

/*
 * Makes a VM that ELISA does not know. The VM has run, so that KVM's allocations for a run exist.
 */
static void new_vm(void)
{
	struct kvm_regs regs = {.rax = ELISA_HC_RAX};

	stranger = vm_new(1);
	CHECK_EQ(run_at(stranger, 0, 0, kernel_code(do_vmcall), &regs).exit, 0);
}

static int hello(void)
{
	memset(stranger->page, 0, PAGE_SIZE);
	stranger->page->hello.abi = ELISA_ABI_VERSION;
	return disturbed(stranger, 0, ELISA_HC_HELLO);
}

static void no_vm(void)
{
	vm_free(stranger);
}

static int create(void)
{
	int r;

	memset(manager->page, 0, PAGE_SIZE);
	strcpy(manager->page->export_.name, "t.created");
	r = disturbed(manager, 0, ELISA_HC_EXPORT_CREATE);
	id = manager->page->export_.id;
	return r;
}

static void new_export(void)
{
	id = export_new(manager, "t.second", 0, 60000000);
}

static int map(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->map = (struct elisa_hc_map){.id = id,
						   .prot = ELISA_PROT_READ | ELISA_PROT_WRITE,
						   .offset = FAR,
						   .count = 2,
						   .gpa = {GIVEN, GIVEN + PAGE_SIZE}};
	return disturbed(manager, 0, ELISA_HC_EXPORT_MAP);
}

static int places(void)
{
	memset(manager->page, 0, PAGE_SIZE);
	manager->page->places =
		(struct elisa_hc_places){.id = id, .count = 2, .offset = PLACES, .size = 1 << 18};
	return disturbed(manager, 0, ELISA_HC_EXPORT_PLACES);
}

static void no_export(void)
{
	CHECK_EQ(destroy(manager, id), 0);
}

static int attach_to(const char *name)
{
	int r;

	memset(guest->page, 0, PAGE_SIZE);
	guest->page->attach = (struct elisa_hc_attach){.root = ROOT,
						       .user_cs = USER_CS,
						       .user_ss = USER_SS,
						       .exchange_pages = 2,
						       .exchange = {GIVEN, GIVEN + PAGE_SIZE}};
	strcpy(guest->page->attach.name, name);
	r = disturbed(guest, 0, ELISA_HC_ATTACH);
	slot = guest->page->attach.slot;
	return r;
}

static int attach_first(void)
{
	return attach_to("t.first");
}

static void no_attachment(void)
{
	CHECK_EQ(detach(guest, 0, slot), 0);
}

static void attach_undisturbed(const char *name)
{
	nth = 0;
	CHECK_EQ(attach_to(name), 0);
}

/* Prepares for the first vCPU of the host, for which the hooks are placed. */
static void unhooked(void)
{
	no_hooks();
	attach_undisturbed("t.first");
}

static int sync_first(void)
{
	memset(guest->page, 0, PAGE_SIZE);
	return disturbed(guest, 0, ELISA_HC_VCPU_SYNC);
}

static void hooked(void)
{
	attach_undisturbed("t.first");
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
}

static int sync_second(void)
{
	memset(guest->page, 0, PAGE_SIZE);
	return disturbed(guest, 1, ELISA_HC_VCPU_SYNC);
}

/* The guest is attached on both vCPUs: a call returns its result. */
static void call_and_detach(void)
{
	int i;

	map_stub(guest, slot, ELISA_MODE_STRICT, ELISA_STUB_FULL);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(hypercall(guest, i, ELISA_HC_VCPU_SYNC), 0);
		CHECK_EQ(call(guest, i, slot, DO_ADD, 1, 2).value, 3);
	}
	no_attachment();
}

static void new_places(void)
{
	new_export();
	nth = 0;
	CHECK_EQ(places(), 0);
	attach_undisturbed("t.second");
	CHECK_EQ(hypercall(guest, 0, ELISA_HC_VCPU_SYNC), 0);
}

static int donate(void)
{
	memset(guest->page, 0, PAGE_SIZE);
	guest->page->donate = (struct elisa_hc_donate){
		.slot = slot, .count = 2, .gpa = {GIVEN + 2 * PAGE_SIZE, GIVEN + 3 * PAGE_SIZE}};
	return disturbed(guest, 0, ELISA_HC_DONATE);
}

static void no_places(void)
{
	no_attachment();
	no_export();
}

static int new_grant;
static int grant_disturbed(void)
{
	arm();
	new_grant = grant(ELISA_GRANT_ATTACH, "t.other", 0);
	disarm();
	return new_grant < 0 ? new_grant : 0;
}

static void no_grant(void)
{
	CHECK_EQ(revoke_grant(new_grant), 0);
}

static void nothing(void)
{
}

static const struct request {
	const char *name;
	void (*prepare)(void); /* without failures */
	int (*ask)(void);
	void (*clear)(void); /* releases what prepare() and ask() made */
	long step;	     /* from one failing allocation to the next; 0: each fails */
} requests[] = {
	{"hello of a new VM", new_vm, hello, no_vm},
	{"grant", nothing, grant_disturbed, no_grant},
	{"create", nothing, create, no_export},
	{"map", new_export, map, no_export},
	{"places", new_export, places, no_export},
	{"attach", nothing, attach_first, call_and_detach},
	{"sync of one more vCPU", hooked, sync_second, call_and_detach},
	{"donate", new_places, donate, no_places},
	/* the longest: the hooks are placed and removed for each try */
	{"sync, with hooks", unhooked, sync_first, call_and_detach, 7},
};

/*
 * Makes one try with failures, as nth says, and one without. Returns true if the n-th allocation
 * was reached.
 */
static bool once(const struct request *request, unsigned int *errors)
{
	struct state before, after;
	long which = nth;
	bool was_reached;
	int r;

	request->prepare();
	nth = which;
	before = now();
	r = request->ask();
	was_reached = reached;
	if (r) {
		if (r != -ENOMEM && r != -EBUSY && r != -EFAULT)
			printf("FAILED %s with failure %ld: %d\n", request->name, which, r);
		CHECK(r == -ENOMEM || r == -EBUSY || r == -EFAULT);
		++*errors;
		after = now();
		check_same(&before, &after);
		nth = 0;
		CHECK_EQ(request->ask(), 0);
	}
	request->clear();
	nth = which;
	return was_reached;
}

static void each(const struct request *request)
{
	unsigned int errors = 0, storms = 0, count = 0, i;
	long last; /* approximate if there is a step */

	gave_up = 0;
	for (nth = 1; once(request, &errors);
	     nth += nth < EACH || !request->step ? 1 : request->step) {
		CHECK(nth < MOST);
		count++;
	}
	CHECK(errors);
	last = nth - 1;
	nth = STORM;
	for (i = 0; i < STORMS; i++)
		once(request, &storms);
	printf("fail_nth: %s: %u allocations of %ld failed, %u times an error; in storms %u of %d; "
	       "%u times KVM's own\n",
	       request->name, count, last, errors, storms, STORMS, gave_up);
}

/* Runs as a process of its own, in a cgroup of its own. */
static void tenant(const char *procs, bool failures)
{
	unsigned int i, errors = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	put(procs, "0");
	nth_file = SYS(open("/proc/thread-self/fail-nth", O_RDWR));
	storm_file = SYS(open("/proc/thread-self/make-it-fail", O_RDWR));
	CHECK(grant(ELISA_GRANT_EXPORT | ELISA_GRANT_ATTACH, "t.*", 0) > 0);
	manager = vm_new(1);
	guest = vm_new(2);
	export_new(manager, "t.first", 0, 60000000);
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (failures)
			each(&requests[i]);
		else
			once(&requests[i], &errors);
	}
	CHECK(!errors);
	exit(0);
}

/*
 * Returns the bytes of kernel memory that stay charged to the cgroup @name after its tenant ended.
 */
static long left_of(const char *name, bool failures)
{
	char directory[64], procs[80], high[80], statistics[80];
	int i, status;
	pid_t child;
	long kernel;

	snprintf(directory, sizeof(directory), CGROUPS "%s", name);
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", directory);
	snprintf(high, sizeof(high), "%s/memory.high", directory);
	snprintf(statistics, sizeof(statistics), "%s/memory.stat", directory);
	SYS(mkdir(directory, 0755));
	child = SYS(fork());
	if (!child)
		tenant(procs, failures);
	SYS(waitpid(child, &status, 0));
	CHECK_EQ(status, 0);
	for (i = 0; i < PATIENCE; i++) {
		kernel = number_in(statistics, "kernel %ld");
		if (!kernel)
			break;
		/* inodes and directory entries that the tenant looked at first */
		put("/proc/sys/vm/drop_caches", "2");
		/* the page that a CPU keeps charged for the cgroup's next small objects */
		put(high, "0");
		usleep(10000);
	}
	printf("fail_nth: %s: %ld bytes of the kernel's memory are left\n", name, kernel);
	return kernel;
}

int main(void)
{
	struct state before = now(), after;

	setvbuf(stdout, NULL, _IOLBF, 0);
	left_of("undisturbed", false);
	CHECK_EQ(left_of("disturbed", true), 0);
	after = now();
	check_same(&before, &after);
	SYS(rmdir(CGROUPS "disturbed"));
	SYS(rmdir(CGROUPS "undisturbed"));
	return 0;
}
