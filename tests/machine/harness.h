/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare /dev/kvm harness: VMs of one or more vCPUs, a page of guest code, no QEMU, no
 * kernel. One test file, one behaviour. Every check that fails ends the test with the
 * place and the values.
 */
#ifndef ELISA_TEST_HARNESS_H
#define ELISA_TEST_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <linux/kvm.h>

#include <elisa/abi.h>
#include <elisa/gate_layout.h>
#include <elisa/host_ioctl.h>

#define MEMORY_SIZE    (16 << 20)
#define PAGE_SIZE      4096

/* guest-physical layout: below 2 MiB ring 0's, 2..4 MiB ring 3's, above free */
#define ROOT	       0x1000
#define ROOT_OTHER     0x7000 /* another process: same mappings */
#define SEEN	       0x6000
#define IDT	       0x8000
#define GDT	       0x9000
#define TSS	       0xa000
#define KERNEL_CODE    0x10000
#define HYPERCALL_PAGE 0x20000
#define KERNEL_STACK   0x80000
#define TABLES	       0x100000
#define USER_CODE      0x200000
#define USER_DATA      0x2c0000
#define USER_STACK     0x2ff000
#define OBJECT	       0x400000

#define USER_CS	       0x1b
#define USER_SS	       0x23

#define VCPUS	       4

#define SKIPPED	       77 /* main()'s status: not there to be tested, and said so */

/* Of a system call that must succeed: its result, or the test ends with what it was. */
int sys(int r, const char *what);
#define SYS(call) sys((call), #call)

struct vm {
	int fd, vcpu[VCPUS];
	struct kvm_run *run[VCPUS];
	uint8_t *memory;
	uint64_t tables; /* next free page for page tables */
	struct elisa_hc_page *page;
};

/* What the guest's handlers of interrupts, NMIs and #DB have seen; at SEEN. */
struct seen {
	uint64_t interrupts, rip, cs;
	uint64_t nmis, nmi_rip;
	uint64_t debugs;
};

/* What came back from a call. */
struct outcome {
	int exit;	   /* 0: the code came to its OUT; FAULT(vector); else KVM's exit reason */
	long value, error; /* RAX, RDX */
	uint64_t at;	   /* of a fault: RIP */
	struct kvm_regs regs;
};
#define FAULT(vector) (0x100 + (vector))
enum {
	DE = 0,
	DB = 1,
	BP = 3,
	UD = 6,
	GP = 13,
	PF = 14,
	AC = 17
};

#define CHECK(condition)                                                              \
	do {                                                                          \
		if (!(condition)) {                                                   \
			printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1);                                                      \
		}                                                                     \
	} while (0)

#define CHECK_EQ(a, b)                                                                        \
	do {                                                                                  \
		long long a_ = (long long)(a), b_ = (long long)(b);                           \
		if (a_ != b_) {                                                               \
			printf("FAILED %s:%d: %s is %lld (%#llx), not %s = %lld\n", __FILE__, \
			       __LINE__, #a, a_, a_, #b, b_);                                 \
			exit(1);                                                              \
		}                                                                             \
	} while (0)

struct vm *vm_new(int vcpus);
void vm_free(struct vm *vm);
void vcpu_new(struct vm *vm, int vcpu); /* one more, in the same state */
uint64_t *vm_u64(struct vm *vm, uint64_t gpa);

/* Runs a hypercall in ring 0 of a vCPU; the page is vm->page. Returns its errno. */
int hypercall(struct vm *vm, int vcpu, uint32_t call);
/* The same from ring @cpl, at @gpa, without touching the page; KVM's RAX in @rax. */
int hypercall_raw(struct vm *vm, int vcpu, int cpl, uint64_t gpa, uint64_t *rax);

/* Runs @code (guest address) in ring @cpl with these registers until its OUT. */
struct outcome run_at(struct vm *vm, int vcpu, int cpl, uint64_t code,
		      const struct kvm_regs *registers);
extern void (*on_signal)(struct vm *vm, int vcpu); /* KVM_RUN was interrupted */
/* The same in parts: prepare; KVM_RUN once (0 or -EINTR); run to the end. */
void start_at(struct vm *vm, int vcpu, int cpl, uint64_t code, const struct kvm_regs *registers);
int run_once(struct vm *vm, int vcpu);
struct outcome finish(struct vm *vm, int vcpu);
struct outcome outcome_of(struct vm *vm, int vcpu); /* run_once() has returned 0 */
/* For what may never come to an end: the exit is KVM_EXIT_INTR if it does not until then. */
struct outcome finish_within(struct vm *vm, int vcpu, long us);

/*
 * Until another thread's guest has made *@word at least @least. For a call that ended too early
 * the test does not wait for ever: it fails after a time that is long on any kernel.
 */
void until_at_least(const volatile uint64_t *word, uint64_t least);

double now_us(void);		    /* since some time in the past */
bool tsc_counts_instructions(void); /* an emulator's; otherwise time */
/* SIGALRM after @first microseconds, then every @interval; 0, 0 stops. */
void timer(long first, long interval);
void msi(struct vm *vm, int vcpu, int vector);
void nmi(struct vm *vm, int vcpu);
void mask_pic(struct vm *vm); /* as a guest's kernel does */
struct seen *seen(struct vm *vm);
void set_gate(struct vm *vm, int vector, uint64_t handler, int dpl);
/* Reads or changes system registers through the VMM's interface. */
struct kvm_sregs get_sregs(struct vm *vm, int vcpu);
int set_sregs(struct vm *vm, int vcpu, struct kvm_sregs *sregs);
/* Maps a page of guest memory in the tables of ROOT, for ring 3. */
void map_user(struct vm *vm, uint64_t address, uint64_t gpa);
/* Makes a page that is mapped there the kernel's, or ring 3's again. */
void map_kernel(struct vm *vm, uint64_t address, bool kernel);

/*
 * Runs @test twice, each time in a process of its own: what is granted there makes exports of
 * strict mode, then of trusted mode. Returns main()'s status.
 */
int in_both_modes(void (*test)(void));
extern bool trusted;

/* Host's administrator. */
int grant(uint32_t rights, const char *name, uint64_t max_pages);
int grant_to(pid_t pid, uint32_t rights, const char *name, uint64_t max_pages);
int revoke_grant(uint32_t id);
uint64_t counter(enum elisa_counter which);
uint32_t host_flags(void); /* ELISA_HOST_* */
int admin_list(enum elisa_host_kind kind, void *records, uint32_t size, uint32_t room);
uint64_t pages_held(void); /* of all VMMs */
/* Waits until all VMMs hold so many pages. A VMM's own work unpins what a revocation took. */
void until_pages_held(uint64_t pages);
/* One of KVM's binary statistics of a vCPU: "exits", "irq_exits", ... */
uint64_t vcpu_stat(struct vm *vm, int vcpu, const char *name);
int module_load(void);
int module_unload(void);

/* An export of @functions: page 0 code, page 1 data. Returns its id. */
extern const uint8_t functions[], functions_end[];
uint32_t export_new(struct vm *vm, const char *name, uint32_t flags, uint32_t limit_us);
extern uint32_t suspend_us; /* of exports made from now on; 0: the most that the host allows */
uint32_t export_at(struct vm *vm, const char *name, uint32_t flags, uint32_t limit_us,
		   uint64_t gpa);
int destroy(struct vm *vm, uint32_t id);
uint64_t *object_data(struct vm *vm); /* page 1 of export_new()'s */
/* Takes up to ELISA_HC_EVENTS_MAX of the manager's events, the oldest. */
const struct elisa_hc_events *take_events(struct vm *vm);
/* Takes all of them; counts those of @type with @value (0: any). */
int events(struct vm *vm, uint32_t type, long value);
/* The first number that a line of the file has in this format of sscanf(), as "VmPin: %ld".
 * -1: none has. */
long number_in(const char *file, const char *format);
/* Pages that the kernel counts as pinned, in this process and in all. */
long process_pins(void);
long kernel_pins(void);
/* Attaches, sets all vCPUs up and maps the stub; returns the slot. */
uint32_t attach(struct vm *vm, const char *name, unsigned int stub_flags, unsigned int exchange);
int attach_try(struct vm *vm, const char *name, unsigned int exchange);
/* ... until the host tries again to put its hooks in place, which it could not. */
int attach_patiently(struct vm *vm, const char *name);
/* The second half of it, after ELISA_HC_ATTACH. */
uint32_t attached(struct vm *vm, unsigned int stub_flags);
/* The same for the process whose page-table root is @root. */
int attach_root_try(struct vm *vm, const char *name, unsigned int exchange, uint64_t root);
int detach(struct vm *vm, int vcpu, uint32_t slot);
uint64_t code_page(uint32_t slot); /* address of a slot's page in the window */
void map_stub(struct vm *vm, uint32_t slot, uint32_t mode, uint32_t flags);
uint64_t stub_entry(uint32_t slot);
/* The stub's VMFUNC, and where default goes on after the call's last one. */
uint64_t stub_vmfunc(uint32_t slot);
uint64_t stub_return(uint32_t slot);
struct outcome call(struct vm *vm, int vcpu, uint32_t slot, long function, long a1, long a2);
/* How often DO_SPIN or DO_HOLD goes round in @us, which depends on the emulated processor. */
long spins_in(struct vm *vm, uint32_t slot, long us);
void start_call(struct vm *vm, int vcpu, uint32_t slot, long function, long a1, long a2);
/* Starts a call of DO_WAIT of @manager's export and returns with the vCPU in it, the run
 * interrupted. */
void wait_in_sub(struct vm *vm, int vcpu, uint32_t slot, struct vm *manager);
void let_go(struct vm *manager);
/* @count calls in a guest loop; the guest's instructions by TSC in *cycles. */
struct outcome call_loop(struct vm *vm, int vcpu, uint32_t slot, long function, uint64_t count,
			 uint64_t *cycles);
struct outcome call_loop_with(struct vm *vm, int vcpu, uint32_t slot, long function, long a1,
			      uint64_t count, uint64_t *cycles);
/* The same of any code of ring 3's at @target that does as a stub. */
struct outcome call_loop_to(struct vm *vm, int vcpu, uint64_t target, long function, long a1,
			    uint64_t count, uint64_t *cycles);
/* @count calls in a guest loop that goes on after errors: bit n of *ends is an end with -n. */
struct outcome call_again(struct vm *vm, int vcpu, uint32_t slot, long function, uint64_t count,
			  uint64_t *ends);
#define LOOP_INSTRUCTIONS 7 /* of the loop itself, for each call */
#define ADD_INSTRUCTIONS  6 /* of DO_ADD, its RET included */

/* symbols of guest.S that tests name */
extern const uint8_t user_call[], user_loop[], user_vmfunc[], user_spin[], user_out[];
extern const uint8_t user_vmcall[], kernel_call[], load_cr3[], load_idt[], load_gdt[], isr[];
extern const uint8_t user_read[];
extern const uint8_t isr_debug[], vmcall_loop[], sync_and_call[];
uint64_t user_code(const void *symbol); /* guest address of a symbol of guest.S */
uint64_t kernel_code(const void *symbol);

/* What the exported function does, by its first argument; see guest.S. */
enum {
	DO_ADD,	  /* a1 + a2 */
	DO_COUNT, /* ++ of a shared counter */
	DO_READ,  /* read 8 bytes at a1 */
	DO_WRITE, /* write a2 at a1 */
	DO_JUMP,  /* call a1 */
	DO_UD,
	DO_VMCALL,
	DO_VMFUNC, /* eax = a1, ecx = a2 */
	DO_CPUID,
	DO_OUT,
	DO_SPIN, /* a1 times */
	DO_HLT,
	DO_SYSCALL,
	DO_INT3,
	DO_DIVIDE,
	DO_REGISTERS, /* fill registers with a secret, then fault if a1 */
	DO_PAUSE,     /* a1 times */
	DO_WAIT,      /* with a secret in registers; see wait_in_sub() */
	DO_FLAGS,     /* RFLAGS */
	DO_ATTACK,    /* jump to a1, ecx = a2, rsp = a4, rdx = a5, eax = 0 */
	DO_SPOIL,     /* callee-saved registers, MXCSR, x87, flags; FS and GS base = a1 */
	DO_SYSENTER,
	DO_INT80,
	DO_SECRET,  /* fill vector registers with a secret, then fault if a1 */
	DO_MANY,    /* a1 + 2 a2 + 4 a3 + 8 a4 + 16 a5 */
	DO_CONTROL, /* MXCSR | x87 control word << 32 */
	DO_HOLD,    /* as DO_SPIN, with a secret in registers */
	DO_WATCH,   /* read at a1 until data[2] is set; data[1] counts */
	DO_STAY,    /* count at a1 for ever */
	DO_RING,    /* place a1; returns a2, all registers as they were */
	DO_RINGS,   /* place a1 for ever */
};
#define SECRET 0x5ec2e75ec2e75ec2LL

#endif
