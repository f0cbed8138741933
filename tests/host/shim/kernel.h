/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of the kernel as host/ needs to run in a test's process: names and behaviour are the
 * kernel's. It checks what the kernel would only warn of (locks held, sleeping under a spinlock,
 * reference counts) by abort(), counts what is allocated, and lets any allocation fail.
 */
#ifndef SHIM_KERNEL_H
#define SHIM_KERNEL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <linux/types.h>
#include <linux/magic.h>
#include <asm/processor-flags.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef u64 gfn_t;
#define U8_MAX 255

#define __user
#define __init
#undef __always_inline
#define __always_inline			    inline __attribute__((always_inline))
#define BUILD_BUG_ON(condition)		    _Static_assert(!(condition), #condition)
#define READ_ONCE(x)			    (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value)		    (*(volatile typeof(x) *)&(x) = (value))
#define xchg(p, value)			    __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST)
#define array_index_nospec(i, size)	    ((i) < (size) ? (i) : 0)
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define shim_assert(condition)                                    \
	do {                                                      \
		if (!(condition))                                 \
			shim_bug(__FILE__, __LINE__, #condition); \
	} while (0)
void shim_bug(const char *file, int line, const char *text) __attribute__((noreturn));

#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define smp_mb()	  __sync_synchronize()
static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

/* ---- what tests set and read */
extern long shim_live;	     /* allocations that are not freed */
extern long shim_fail_after; /* this many allocations succeed, the next one fails; -1: none */
extern long shim_modules;    /* references to the module */
extern unsigned long shim_flushes;
extern unsigned int shim_spin_depth, shim_mutex_depth;
extern u64 shim_vmcs[0x8000];
void shim_run_work(void);

/* ---- memory */
#define GFP_KERNEL	   0
#define GFP_KERNEL_ACCOUNT 0
#define PAGE_SHIFT	   12
#define PAGE_SIZE	   (1UL << PAGE_SHIFT)
#define PAGE_MASK	   (~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(x)	   (((x) & (PAGE_SIZE - 1)) == 0)
/* an offset, so that a forgotten conversion does not work by chance */
#define SHIM_PHYSICAL	   (1UL << 48)
#define __pa(x)		   ((unsigned long)(x) + SHIM_PHYSICAL)
#define __va(x)		   ((void *)((unsigned long)(x)-SHIM_PHYSICAL))

void *shim_alloc(size_t size);
void kfree(const void *p);
unsigned long get_zeroed_page(int flags);
void free_page(unsigned long page);
#define kzalloc(size, flags)	      shim_alloc(size)
#define kvzalloc(size, flags)	      shim_alloc(size)
#define kcalloc(count, size, flags)   shim_alloc((size_t)(count) * (size))
#define kvfree			      kfree
#define kfree_sensitive		      kfree
#define kfree_rcu(p, member)	      kfree(p)
#define __get_free_page		      get_zeroed_page
#define struct_size(p, member, count) (sizeof(*(p)) + sizeof((p)->member[0]) * (count))

/* ---- strings */
void *memchr_inv(const void *start, int c, size_t bytes);
/* the kernel's: letters of Latin-1 are letters */
static inline bool shim_isalnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= 0xc0 && c != 0xd7 && c != 0xf7);
}
#define isalnum(c) shim_isalnum(c)
#define isascii(c) ((unsigned char)(c) < 0x80)

/* ---- lists */
struct list_head {
	struct list_head *next, *prev;
};
#define LIST_HEAD(name) struct list_head name = {&(name), &(name)}
static inline void INIT_LIST_HEAD(struct list_head *list)
{
	list->next = list->prev = list;
}
static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}
static inline void list_add_tail(struct list_head *entry, struct list_head *list)
{
	entry->prev = list->prev;
	entry->next = list;
	list->prev->next = entry;
	list->prev = entry;
}
static inline void list_del(struct list_head *entry)
{
	shim_assert(entry->next->prev == entry && entry->prev->next == entry);
	entry->next->prev = entry->prev;
	entry->prev->next = entry->next;
	entry->next = entry->prev = NULL;
}
static inline void list_del_init(struct list_head *entry)
{
	list_del(entry);
	entry->next = entry->prev = entry;
}
/* To the end, as the module's one use of it finds an empty list. */
static inline void list_splice_init(struct list_head *from, struct list_head *to)
{
	while (from->next != from) {
		struct list_head *entry = from->next;

		list_del(entry);
		list_add_tail(entry, to);
	}
}

static inline void list_move(struct list_head *entry, struct list_head *list)
{
	list_del(entry);
	list_add_tail(entry, list->next);
}
#define list_entry container_of
#define list_for_each_entry(p, list, member)                                         \
	for (p = list_entry((list)->next, typeof(*p), member); &p->member != (list); \
	     p = list_entry(p->member.next, typeof(*p), member))
#define list_for_each_entry_safe(p, n, list, member)            \
	for (p = list_entry((list)->next, typeof(*p), member),  \
	    n = list_entry(p->member.next, typeof(*p), member); \
	     &p->member != (list); p = n, n = list_entry(n->member.next, typeof(*n), member))

/* a hash table that is one list */
struct hlist_node {
	struct list_head node;
};
struct rcu_head {
	void *unused;
};
#define DEFINE_HASHTABLE(name, bits)	LIST_HEAD(name)
#define hash_add_rcu(table, entry, key) list_add_tail(&(entry)->node, &(table))
#define hash_del_rcu(entry)		list_del(&(entry)->node)
#define hash_for_each_possible_rcu(table, p, member, key) \
	list_for_each_entry(p, &(table), member.node)
#define rcu_read_lock()		   ((void)0)
#define rcu_read_unlock()	   ((void)0)
#define rcu_barrier()		   ((void)0)

/* ---- bits */
#define DECLARE_BITMAP(name, bits) unsigned long name[((bits) + 63) / 64]
static inline void set_bit(unsigned int n, unsigned long *map)
{
	map[n / 64] |= 1UL << n % 64;
}
static inline void clear_bit(unsigned int n, unsigned long *map)
{
	map[n / 64] &= ~(1UL << n % 64);
}
static inline bool bitmap_empty(const unsigned long *map, unsigned int bits)
{
	return !memchr_inv(map, 0, bits / 8);
}
#define for_each_set_bit(n, map, bits)     \
	for ((n) = 0; (n) < (bits); (n)++) \
		if ((map)[(n) / 64] & (1UL << (n) % 64))

/* ---- counters and references */
typedef struct {
	int counter;
} atomic_t;
typedef struct {
	s64 counter;
} atomic64_t;
#define atomic_read(v)	   ((v)->counter)
#define atomic64_read(v)   ((v)->counter)
#define atomic64_add(n, v) ((void)((v)->counter += (n)))
#define atomic64_sub(n, v) ((void)((v)->counter -= (n)), shim_assert_counter((v)->counter))
#define atomic64_inc(v)	   atomic64_add(1, v)
static inline void shim_assert_counter(s64 counter)
{
	shim_assert(counter >= 0);
}

struct kref {
	int count;
};
static inline void kref_init(struct kref *ref)
{
	ref->count = 1;
}
static inline void kref_get(struct kref *ref)
{
	shim_assert(ref->count > 0);
	ref->count++;
}
static inline void kref_put(struct kref *ref, void (*release)(struct kref *))
{
	shim_assert(ref->count > 0);
	if (!--ref->count)
		release(ref);
}
#define THIS_MODULE	     NULL
#define __module_get(module) ((void)shim_modules++)
#define module_put(module)   ((void)shim_modules--)

/* ---- locks: one thread, so that whatever would block is a bug */
struct mutex {
	bool held;
};
typedef struct {
	bool held;
} spinlock_t, raw_spinlock_t;
#define DEFINE_MUTEX(name)	  struct mutex name
#define lockdep_assert_held(lock) shim_assert((lock)->held)
void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);
static inline int mutex_lock_killable(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}
void shim_spin_lock(spinlock_t *lock);
void shim_spin_unlock(spinlock_t *lock);
#define spin_lock_init(lock)		    ((lock)->held = false)
#define spin_lock_irqsave(lock, flags)	    ((flags) = 0, shim_spin_lock(lock))
#define spin_unlock_irqrestore(lock, flags) ((void)(flags), shim_spin_unlock(lock))
#define raw_spin_lock_init		    spin_lock_init
#define raw_spin_lock_irqsave		    spin_lock_irqsave
#define raw_spin_unlock_irqrestore	    spin_unlock_irqrestore

struct work_struct {
	void (*function)(struct work_struct *);
	bool pending;
	struct work_struct *next;
};
#define DECLARE_WORK(name, f) struct work_struct name = {.function = f}
void schedule_work(struct work_struct *work);
struct workqueue_struct {
	int unused;
};
#define WQ_UNBOUND			  0
#define WQ_HIGHPRI			  0
#define alloc_workqueue(name, flags, max) kzalloc(sizeof(struct workqueue_struct), 0)
#define destroy_workqueue(queue)	  (shim_run_work(), kfree(queue))
#define queue_work(queue, work)		  schedule_work(work)
#define usleep_range(from, to)		  shim_sleep()
#define flush_work(work)		  shim_run_work()

/* a delay is over when somebody lets the work run */
struct delayed_work {
	struct work_struct work;
};
#define DECLARE_DELAYED_WORK(name, f)		struct delayed_work name = {.work.function = f}
#define HZ					250
#define mod_delayed_work(queue, delayed, delay) schedule_work(&(delayed)->work)
#define schedule_delayed_work(delayed, delay)	schedule_work(&(delayed)->work)
#define cancel_delayed_work_sync(delayed)	shim_run_work()
u64 ktime_get_mono_fast_ns(void);
extern u64 shim_tick;  /* ns from one look at the clock to the next */
void shim_sleep(void); /* long enough */
#define NSEC_PER_USEC 1000
extern unsigned int tsc_khz;

/* ---- processors */
typedef struct cpumask {
	unsigned long bits;
} * cpumask_var_t;
bool zalloc_cpumask_var(cpumask_var_t *mask, int flags);
#define free_cpumask_var(mask) kfree(mask)
void on_each_cpu_mask(const struct cpumask *mask, void (*function)(void *), void *info, bool wait);
struct shim_cpu {
	u8 x86_phys_bits;
};
extern struct shim_cpu boot_cpu_data;

/* ---- processes and their memory: what is at an address of a VMM, and which page it is */
#define SHIM_VMAS 8
struct super_block {
	unsigned long s_magic;
};
struct inode {
	struct super_block *i_sb;
	mode_t i_mode;
};
struct file {
	struct inode *inode;
	void *private_data;
};
struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags;
	struct file *vm_file; /* NULL: anonymous */
	bool hugetlb;
};
struct page {
	u8 *data;
	int pins;
	bool unpinnable;
	unsigned long unpinned_at; /* shim_flushes at that time */
};
struct mm_struct {
	int mm_count;
	atomic_t mm_users;
	atomic64_t pinned_vm;
	bool locked;
	struct vm_area_struct vma[SHIM_VMAS];
	u8 *memory; /* of all areas */
	struct page *pages;
	unsigned long page_count;
};
struct task_struct {
	struct mm_struct *mm;
	int pid;
	bool killed;
};
struct pid {
	struct task_struct *task;
};
enum pid_type {
	PIDTYPE_TGID
};
extern struct task_struct *current;
extern struct task_struct shim_tasks[2];

#define VM_IO			   1UL
#define VM_PFNMAP		   2UL
#define VM_MIXEDMAP		   4UL
#define FOLL_WRITE		   1
#define FOLL_LONGTERM		   2
#define vma_is_anonymous(vma)	   (!(vma)->vm_file && !(vma)->hugetlb)
#define is_vm_hugetlb_page(vma)	   ((vma)->hugetlb)
#define file_inode(file)	   ((file)->inode)
#define fatal_signal_pending(task) ((task)->killed)
#define page_to_phys(page)	   __pa((page)->data)
#define mmgrab(mm)		   ((void)(mm)->mm_count++)
#define mmdrop(mm)		   ((void)(mm)->mm_count--, shim_assert_counter((mm)->mm_count))
#define mmput(mm)		   ((void)(mm)->mm_users.counter--)
#define put_pid(pid)		   ((void)(pid))
#define put_task_struct(task)	   ((void)(task))
#define task_tgid_nr(task)	   ((task)->pid)
struct pid *find_get_pid(int nr);
struct task_struct *get_pid_task(struct pid *pid, enum pid_type type);
struct mm_struct *get_task_mm(struct task_struct *task);
int mmap_read_lock_killable(struct mm_struct *mm);
void mmap_read_unlock(struct mm_struct *mm);
struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long address);
long pin_user_pages(unsigned long address, unsigned long count, unsigned int flags,
		    struct page **pages);
void unpin_user_pages(struct page **pages, unsigned long count);
#define unpin_user_pages_dirty_lock(pages, count, dirty) unpin_user_pages(pages, count)
unsigned long copy_from_user(void *to, const void *from, unsigned long n);
unsigned long copy_to_user(void *to, const void *from, unsigned long n);

/* ---- KVM */
#define KVM_MEM_LOG_DIRTY_PAGES 1u
#define KVM_MEM_READONLY	2u
#define KVM_MEMSLOT_INVALID	(1u << 16)
#define KVM_USER_MEM_SLOTS	32764
#define SHIM_MEMSLOTS		8
enum {
	VCPU_REGS_RAX,
	VCPU_REGS_RCX,
	VCPU_REGS_RDX,
	VCPU_REGS_RBX,
	SHIM_REGS
};
#define EFER_LMA    (1u << 10)
#define HF_SMM_MASK (1u << 6)
struct kvm_memory_slot {
	gfn_t base_gfn;
	unsigned long npages, userspace_addr;
	u32 flags;
	int id;
};
struct kvm {
	struct mm_struct *mm;
	struct kvm_memory_slot slots[SHIM_MEMSLOTS];
};
struct kvm_vcpu {
	int vcpu_idx;
	struct kvm *kvm;
	struct {
		unsigned long regs[SHIM_REGS], cr4;
		u64 efer;
		u32 hflags;
		struct {
			u64 pebs_enable;
		} pmu;
	} arch;
};
#define kvm_memslots(kvm) ((kvm)->slots)
struct kvm_memory_slot *__gfn_to_memslot(struct kvm_memory_slot *slots, gfn_t gfn);
static inline unsigned long __gfn_to_hva_memslot(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return slot->userspace_addr + (gfn - slot->base_gfn) * PAGE_SIZE;
}

/* ---- in the place of host/compat.h, which is about ftrace and kernel versions */
#define ELISA_HOST_COMPAT_H
#define elisa_pin_page(address, page) pin_user_pages(address, 1, FOLL_WRITE | FOLL_LONGTERM, page)

/* ---- in the place of host/vmx.h: a VMCS that is an array */
#define ELISA_HOST_VMX_H
#define SECONDARY_VM_EXEC_CONTROL	      0x401e
#define GUEST_SS_AR_BYTES		      0x4818
#define GUEST_IA32_DEBUGCTL		      0x2802
#define GUEST_GDTR_BASE			      0x6816
#define GUEST_IDTR_BASE			      0x6818
#define GUEST_LDTR_BASE			      0x6812
#define GUEST_TR_BASE			      0x6814
#define SECONDARY_EXEC_UNRESTRICTED_GUEST     (1u << 7)
#define SECONDARY_EXEC_APIC_REGISTER_VIRT     (1u << 8)
#define SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY  (1u << 9)
#define SECONDARY_EXEC_MODE_BASED_EPT_EXEC    (1u << 22)
#define ELISA_SECONDARY_EXEC_EPT_VIOLATION_VE (1u << 18)
#define SECONDARY_EXEC_PT_USE_GPA	      (1u << 24)
#define DEBUGCTLMSR_LBR			      (1u << 0)
#define DEBUGCTLMSR_TR			      (1u << 6)
#define DEBUGCTLMSR_BTS			      (1u << 7)
#define DEBUGCTLMSR_BTINT		      (1u << 8)
#define vmcs_get(field)			      (shim_vmcs[field])
static inline void invept_all(void)
{
}

#endif
