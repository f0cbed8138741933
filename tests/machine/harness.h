/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A harness on bare /dev/kvm: VMs of one or more vCPUs and a page of guest code, without QEMU and
 * without a guest kernel. Each test file is about one behaviour. A check that fails ends the test
 * and prints the place and the values.
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

/* Guest-physical layout: ring 0's memory below 2 MiB, ring 3's from 2 to 4 MiB, free above. */
#define ROOT	       0x1000
#define ROOT_OTHER     0x7000 /* another process with the same mappings */
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

#define SKIPPED	       77 /* exit status: what the test needs is missing; main() prints it */

/* Returns the result of a system call. If the call failed, prints its error and ends the test. */
int sys(int r, const char *what);
#define SYS(call) sys((call), #call)

struct vm {
	int fd, vcpu[VCPUS];
	struct kvm_run *run[VCPUS];
	uint8_t *memory;
	uint64_t tables; /* next free page for page tables */
	struct elisa_hc_page *page;
};

/* What the guest's handlers of interrupts, NMIs and #DB have counted. It is at SEEN. */
struct seen {
	uint64_t interrupts, rip, cs;
	uint64_t nmis, nmi_rip;
	uint64_t debugs;
};

/* How a run ended. */
struct outcome {
	int exit;	   /* 0: the code reached its OUT; FAULT(vector); or KVM's exit reason */
	long value, error; /* RAX, RDX */
	uint64_t at;	   /* RIP of a fault */
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
void vcpu_new(struct vm *vm, int vcpu); /* one more vCPU in the same state */
uint64_t *vm_u64(struct vm *vm, uint64_t gpa);

/* Makes a hypercall in ring 0 of a vCPU with the page vm->page. Returns the hypercall's errno. */
int hypercall(struct vm *vm, int vcpu, uint32_t call);
/*
 * Makes a hypercall from ring @cpl with the page at @gpa, whose contents stay. *rax = RAX after
 * KVM's return.
 */
int hypercall_raw(struct vm *vm, int vcpu, int cpl, uint64_t gpa, uint64_t *rax);

/* Runs @code (a guest address) in ring @cpl with these registers until its OUT. */
struct outcome run_at(struct vm *vm, int vcpu, int cpl, uint64_t code,
		      const struct kvm_regs *registers);
extern void (*on_signal)(struct vm *vm, int vcpu); /* a signal interrupted KVM_RUN */
/*
 * The parts of run_at(): start_at() sets the registers, run_once() makes one KVM_RUN (0 or -EINTR),
 * finish() runs to the end.
 */
void start_at(struct vm *vm, int vcpu, int cpl, uint64_t code, const struct kvm_regs *registers);
int run_once(struct vm *vm, int vcpu);
struct outcome finish(struct vm *vm, int vcpu);
struct outcome outcome_of(struct vm *vm, int vcpu); /* after run_once() has returned 0 */
/*
 * As finish(), for code that may never end. The exit is KVM_EXIT_INTR if it did not end within @us.
 */
struct outcome finish_within(struct vm *vm, int vcpu, long us);

/*
 * Waits until another thread's guest has made *@word at least @least. If the call ended too early,
 * the test fails after a time that is long on any kernel.
 */
void until_at_least(const volatile uint64_t *word, uint64_t least);

double now_us(void);		    /* since an arbitrary time */
bool tsc_counts_instructions(void); /* true on an emulator whose TSC counts instructions */
/* Sends SIGALRM after @first microseconds, then every @interval. timer(0, 0) stops the timer. */
void timer(long first, long interval);
void msi(struct vm *vm, int vcpu, int vector);
void nmi(struct vm *vm, int vcpu);
void mask_pic(struct vm *vm); /* as a guest's kernel does */
struct seen *seen(struct vm *vm);
void set_gate(struct vm *vm, int vector, uint64_t handler, int dpl);
/* Reads or changes system registers by the VMM's ioctls. */
struct kvm_sregs get_sregs(struct vm *vm, int vcpu);
int set_sregs(struct vm *vm, int vcpu, struct kvm_sregs *sregs);
/* Maps a page of guest memory in the tables of ROOT, for ring 3. */
void map_user(struct vm *vm, uint64_t address, uint64_t gpa);
/* Makes the page that is mapped at @address the kernel's, or ring 3's again. */
void map_kernel(struct vm *vm, uint64_t address, bool kernel);

/*
 * Runs @test twice, each time in a process of its own. First, grants in @test make exports of
 * strict mode, then of trusted mode. Returns main()'s status.
 */
int in_both_modes(void (*test)(void));
extern bool trusted;

/* Requests of the host's administrator. */
int grant(uint32_t rights, const char *name, uint64_t max_pages);
int grant_to(pid_t pid, uint32_t rights, const char *name, uint64_t max_pages);
int revoke_grant(uint32_t id);
uint64_t counter(enum elisa_counter which);
uint32_t host_flags(void); /* ELISA_HOST_* */
int admin_list(enum elisa_host_kind kind, void *records, uint32_t size, uint32_t room);
uint64_t pages_held(void); /* pages held for all VMMs */
/* Waits until all VMMs hold so many pages. A VMM's own work unpins what a revocation took. */
void until_pages_held(uint64_t pages);
/* Returns one of KVM's binary statistics of a vCPU: "exits", "irq_exits", ... */
uint64_t vcpu_stat(struct vm *vm, int vcpu, const char *name);
int module_load(void);
int module_unload(void);

/* Makes an export of @functions: page 0 is code, page 1 data. Returns the export's id. */
extern const uint8_t functions[], functions_end[];
uint32_t export_new(struct vm *vm, const char *name, uint32_t flags, uint32_t limit_us);
extern uint32_t suspend_us; /* of later exports; 0: the most that the host allows */
uint32_t export_at(struct vm *vm, const char *name, uint32_t flags, uint32_t limit_us,
		   uint64_t gpa);
int destroy(struct vm *vm, uint32_t id);
uint64_t *object_data(struct vm *vm); /* page 1 of export_new()'s object */
/* Takes the oldest events of the manager, at most ELISA_HC_EVENTS_MAX. */
const struct elisa_hc_events *take_events(struct vm *vm);
/* Takes all events. Returns the number of events of @type with @value (0: any value). */
int events(struct vm *vm, uint32_t type, long value);
/*
 * Returns the first number that a line of the file has in this format of sscanf(), such as "VmPin:
 * %ld". Returns -1 if no line has one.
 */
long number_in(const char *file, const char *format);
/* Return the pages that the kernel counts as pinned, in this process and in all processes. */
long process_pins(void);
long kernel_pins(void);
/* Attaches, sets up all vCPUs and maps the stub. Returns the slot. */
uint32_t attach(struct vm *vm, const char *name, unsigned int stub_flags, unsigned int exchange);
int attach_try(struct vm *vm, const char *name, unsigned int exchange);
/*
 * Attaches. As long as the answer is -EBUSY, tries again: the host could not place its hooks
 * before.
 */
int attach_patiently(struct vm *vm, const char *name);
/* The second half of attach(), after ELISA_HC_ATTACH. */
uint32_t attached(struct vm *vm, unsigned int stub_flags);
/* As attach_try(), for the process with the page-table root @root. */
int attach_root_try(struct vm *vm, const char *name, unsigned int exchange, uint64_t root);
int detach(struct vm *vm, int vcpu, uint32_t slot);
uint64_t code_page(uint32_t slot); /* address of a slot's code page in the window */
void map_stub(struct vm *vm, uint32_t slot, uint32_t mode, uint32_t flags);
uint64_t stub_entry(uint32_t slot);
/*
 * The address of the stub's VMFUNC, and the address where default goes on after the call's last
 * VMFUNC.
 */
uint64_t stub_vmfunc(uint32_t slot);
uint64_t stub_return(uint32_t slot);
struct outcome call(struct vm *vm, int vcpu, uint32_t slot, long function, long a1, long a2);
/* Returns how many rounds DO_SPIN or DO_HOLD makes in @us. It depends on the emulated processor. */
long spins_in(struct vm *vm, uint32_t slot, long us);
void start_call(struct vm *vm, int vcpu, uint32_t slot, long function, long a1, long a2);
/*
 * Starts a call of DO_WAIT of @manager's export. Returns when the vCPU is in the function and its
 * run is interrupted.
 */
void wait_in_sub(struct vm *vm, int vcpu, uint32_t slot, struct vm *manager);
void let_go(struct vm *manager);
/* Makes @count calls in a guest loop. *cycles = the loop's instructions by TSC. */
struct outcome call_loop(struct vm *vm, int vcpu, uint32_t slot, long function, uint64_t count,
			 uint64_t *cycles);
struct outcome call_loop_with(struct vm *vm, int vcpu, uint32_t slot, long function, long a1,
			      uint64_t count, uint64_t *cycles);
/* As call_loop_with(), with any code of ring 3 at @target that behaves like a stub. */
struct outcome call_loop_to(struct vm *vm, int vcpu, uint64_t target, long function, long a1,
			    uint64_t count, uint64_t *cycles);
/*
 * Makes @count calls in a guest loop that goes on after errors. Bit n of *ends: a call ended with
 * -n.
 */
struct outcome call_again(struct vm *vm, int vcpu, uint32_t slot, long function, uint64_t count,
			  uint64_t *ends);
#define LOOP_INSTRUCTIONS 7 /* of the loop itself, for each call */
#define ADD_INSTRUCTIONS  6 /* of DO_ADD, including its RET */

/* symbols of guest.S that tests use */
extern const uint8_t user_call[], user_loop[], user_vmfunc[], user_spin[], user_out[];
extern const uint8_t user_vmcall[], kernel_call[], load_cr3[], load_idt[], load_gdt[], isr[];
extern const uint8_t user_read[];
extern const uint8_t isr_debug[], vmcall_loop[], sync_and_call[];
uint64_t user_code(const void *symbol); /* guest address of a symbol of guest.S */
uint64_t kernel_code(const void *symbol);

/* What the exported function does, by its first argument. guest.S has the code. */
enum {
	DO_ADD,	  /* a1 + a2 */
	DO_COUNT, /* increments a shared counter */
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
