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
#include <sys/resource.h>
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
#define cmpxchg(p, old, value)		    __sync_val_compare_and_swap(p, old, value)
#define array_index_nospec(i, size)	    ((i) < (size) ? (i) : 0)
#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define shim_assert(condition)                                    \
	do {                                                      \
		if (!(condition))                                 \
			shim_bug(__FILE__, __LINE__, #condition); \
	} while (0)
void shim_bug(const char *file, int line, const char *text) __attribute__((noreturn));

/* ---- tracepoints: each counts that it was passed */
#define TP_PROTO(...)		 __VA_ARGS__
#define TP_ARGS(...)		 __VA_ARGS__
#define DECLARE_EVENT_CLASS(...) struct shim_event_class
#define TRACE_EVENT(name, proto, ...)          \
	static inline void trace_##name(proto) \
	{                                      \
		shim_trace(#name);             \
	}                                      \
	struct shim_event
#define DEFINE_EVENT(class, name, proto, args) \
	static inline void trace_##name(proto) \
	{                                      \
		shim_trace(#name);             \
	}                                      \
	struct shim_event
void shim_trace(const char *name);
unsigned int shim_traced(const char *name); /* how often, since it was asked for the last time */

#define fls64(n)	    ((n) ? 64 - __builtin_clzll(n) : 0)
#define min(a, b)	    ((a) < (b) ? (a) : (b))
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define upper_32_bits(n)    ((u32)((u64)(n) >> 32))
#define min_t(type, a, b)   ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max_t(type, a, b)   ((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define max(a, b)	    ((a) > (b) ? (a) : (b))
#define swap(a, b)                         \
	do {                               \
		typeof(a) shim_swap = (a); \
		(a) = (b);                 \
		(b) = shim_swap;           \
	} while (0)
#define smp_load_acquire(p)	    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, value) __atomic_store_n(p, value, __ATOMIC_RELEASE)
static inline u64 div_u64(u64 a, u32 b)
{
	return a / b;
}

/* ---- what tests set and read */
extern long shim_live;	     /* allocations that are not freed */
extern long shim_fail_after; /* this many allocations succeed, the next one fails; -1: none */
extern long shim_modules;    /* references to the module */
/* What another thread does once: when the n-th allocation from now on is made, an IPI is sent, or a
 * mutex is to be taken. */
extern void (*shim_meanwhile)(void);
extern long shim_meanwhile_at; /* 0: the next allocation; -1: the next IPI; -2: the next mutex */
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
#define PHYSICAL_PAGE_MASK (((1UL << 52) - 1) & PAGE_MASK)
#define IS_ALIGNED(x, a)   (((x) & ((a)-1)) == 0)
#define BIT_ULL(n)	   (1ULL << (n))
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
#define isalnum(c)		shim_isalnum(c)
#define isascii(c)		((unsigned char)(c) < 0x80)

#define strscpy(to, from, size) snprintf(to, size, "%s", from)

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

#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_first_entry_or_null(list, type, member) \
	(list_empty(list) ? NULL : list_entry((list)->next, type, member))
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

/* a hash table that is one list; a node is in none if it was never added, or removed */
struct hlist_node {
	struct list_head node;
};
struct rcu_head {
	void *unused;
};
#define DECLARE_HASHTABLE(name, bits) struct list_head name
#define DEFINE_HASHTABLE(name, bits)  LIST_HEAD(name)
#define hash_empty(table)	      list_empty(&(table))
#define hash_add(table, entry, key)   ((void)(key), list_add_tail(&(entry)->node, &(table)))
#define hash_hashed(entry)	      ((entry)->node.next != NULL)
#define hash_del(entry)		      (hash_hashed(entry) ? list_del(&(entry)->node) : (void)0)
#define hash_add_rcu		      hash_add
#define hash_del_rcu		      hash_del
#define hash_for_each_possible	      hash_for_each_possible_rcu
#define hash_for_each_possible_rcu(table, p, member, key) \
	(void)(key);                                      \
	list_for_each_entry(p, &(table), member.node)
typedef struct {
	u64 key[2];
} siphash_key_t;
#define siphash(data, length, key) ((u64)(*(const u8 *)(data)) + (length))
extern u64 shim_siphash; /* added to what two numbers are hashed to: another key */
#define siphash_2u64(a, b, key)	       ((u64)(a) + (b) + shim_siphash)
#define get_random_bytes(data, length) memset(data, 7, length)
#define rcu_read_lock()		       ((void)0)
#define rcu_read_unlock()	       ((void)0)
#define rcu_barrier()		       ((void)0)
#define preempt_disable_notrace()      ((void)0)
#define preempt_enable_notrace()       ((void)0)

/* ---- bits */
#define BITS_PER_LONG		       64
#define __ffs(bits)		       ((unsigned long)__builtin_ctzl(bits))
#define DECLARE_BITMAP(name, bits)     unsigned long name[((bits) + 63) / 64]
static inline void set_bit(unsigned int n, unsigned long *map)
{
	map[n / 64] |= 1UL << n % 64;
}
static inline void clear_bit(unsigned int n, unsigned long *map)
{
	map[n / 64] &= ~(1UL << n % 64);
}
static inline void bitmap_zero(unsigned long *map, unsigned int bits)
{
	memset(map, 0, bits / 8);
}
static inline unsigned int bitmap_weight(const unsigned long *map, unsigned int bits)
{
	shim_assert(bits == 64);
	return __builtin_popcountl(*map);
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
#define atomic_read(v)		  ((v)->counter)
#define atomic64_read(v)	  ((v)->counter)
#define atomic64_add(n, v)	  ((void)((v)->counter += (n)))
#define atomic64_add_return(n, v) ((u64)((v)->counter += (n)))
#define atomic64_sub(n, v)	  ((void)((v)->counter -= (n)), shim_assert_counter((v)->counter))
#define atomic64_inc(v)		  atomic64_add(1, v)
static inline void shim_assert_counter(s64 counter)
{
	shim_assert(counter >= 0);
}

typedef struct {
	int count;
} refcount_t;
static inline void refcount_inc(refcount_t *ref)
{
	shim_assert(ref->count > 0);
	ref->count++;
}
/* not the last one */
static inline void refcount_dec(refcount_t *ref)
{
	shim_assert(ref->count > 1);
	ref->count--;
}
struct kref {
	refcount_t refcount;
};
static inline void kref_init(struct kref *ref)
{
	ref->refcount.count = 1;
}
static inline void kref_get(struct kref *ref)
{
	refcount_inc(&ref->refcount);
}
static inline void kref_put(struct kref *ref, void (*release)(struct kref *))
{
	shim_assert(ref->refcount.count > 0);
	if (!--ref->refcount.count)
		release(ref);
}
#define IS_ENABLED(option)   true /* checks that debug kernels have */
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
#define mutex_init(lock)	  ((lock)->held = false)
void mutex_lock(struct mutex *lock);
void mutex_unlock(struct mutex *lock);
static inline int mutex_lock_killable(struct mutex *lock)
{
	mutex_lock(lock);
	return 0;
}
void shim_spin_lock(spinlock_t *lock);
void shim_spin_unlock(spinlock_t *lock);
#define DEFINE_SPINLOCK(name)		    spinlock_t name
#define DEFINE_RAW_SPINLOCK(name)	    raw_spinlock_t name
#define spin_lock			    shim_spin_lock
#define spin_unlock			    shim_spin_unlock
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
#define INIT_WORK(work, f)    ((work)->function = (f))
bool schedule_work(struct work_struct *work);
struct workqueue_struct {
	int unused;
};
#define WQ_UNBOUND			  0
#define alloc_workqueue(name, flags, max) kzalloc(sizeof(struct workqueue_struct), 0)
#define destroy_workqueue(queue)	  (shim_run_work(), kfree(queue))
#define queue_work(queue, work)		  schedule_work(work)
#define flush_workqueue(queue)		  shim_run_work()
#define msleep(ms)			  ((void)(ms))

/* what waits, and what wakes it: at once */
typedef struct {
	unsigned int wakes;
} wait_queue_head_t;
typedef struct poll_table_struct poll_table;
typedef unsigned int __poll_t;
#define init_waitqueue_head(head)   ((head)->wakes = 0)
#define wake_up_interruptible(head) ((head)->wakes++)
struct irq_work {
	void (*function)(struct irq_work *);
};
#define init_irq_work(work, f) ((work)->function = (f))
#define irq_work_queue(work)   ((work)->function(work))
#define irq_work_sync(work)    ((void)(work))

/* a delay is over when the test lets the work run */
struct delayed_work {
	struct work_struct work;
};
#define INIT_DELAYED_WORK(delayed, f)		  INIT_WORK(&(delayed)->work, f)
#define to_delayed_work(w)			  container_of(w, struct delayed_work, work)
#define HZ					  250
#define queue_delayed_work(queue, delayed, delay) schedule_work(&(delayed)->work)
/* true: it was on its way */
#define mod_delayed_work(queue, delayed, delay)	  (!schedule_work(&(delayed)->work))
#define cancel_delayed_work_sync(delayed)	  (shim_run_work(), false)
u64 ktime_get_mono_fast_ns(void);
extern u64 shim_tick; /* ns from one look at the clock to the next */
void shim_pass(u64 ns);

/* a timer that is set is over with the next works, however long it was to take */
enum hrtimer_restart {
	HRTIMER_NORESTART
};
struct hrtimer {
	struct work_struct over;
	enum hrtimer_restart (*function)(struct hrtimer *);
	u64 wait;
};
#define HRTIMER_MODE_REL      0
#define HRTIMER_MODE_REL_HARD 0
#define ns_to_ktime(ns)	      (ns)
void eh_timer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *));
void hrtimer_start(struct hrtimer *timer, u64 wait, int mode);
void hrtimer_cancel(struct hrtimer *timer);
#define NSEC_PER_USEC 1000
#define NSEC_PER_SEC  1000000000ULL
typedef u64 ktime_t;
#define TASK_KILLABLE		 0
#define set_current_state(state) ((void)0)
extern u64 shim_slept; /* ns, all in all */
void schedule_hrtimeout(const ktime_t *time, int mode);
extern unsigned int tsc_khz;

/* ---- processors */
struct cpumask {
	unsigned long bits;
};
typedef struct cpumask *cpumask_var_t;
#define zalloc_cpumask_var(mask, flags) ((*(mask) = shim_alloc(sizeof(struct cpumask))) != NULL)
#define free_cpumask_var		kfree
#define on_each_cpu(f, info, wait)	on_each_cpu_mask(&(struct cpumask){~0UL}, f, info, wait)
#define cpumask_set_cpu(cpu, mask)	((void)((mask)->bits |= 1UL << (cpu)))
#define raw_smp_processor_id()		shim_cpu
#define DECLARE_PER_CPU(type, name)	extern type name
#define DEFINE_PER_CPU(type, name)	type name
#define this_cpu_inc(counter)		((void)(counter)++)
extern int shim_cpu;
extern unsigned long shim_interrupted; /* the last ones that had an IPI */
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
	struct page *head;		       /* of its folio; NULL: it is one of its own */
	unsigned long folio_pages, folio_pins; /* of a head */
	bool is_hugetlb, has_hwpoisoned;       /* of a head */
	bool hwpoison;
	bool unpinnable;
	bool lost;		   /* the process has no such page at this address any more */
	long references;	   /* but pins */
	unsigned long unpinned_at; /* shim_flushes at that time */
};
/* memory of a process, and its pages in this order */
struct shim_area {
	u8 *memory;
	struct page *pages;
	unsigned long count;
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
	struct shim_area more; /* beside the above */
	struct mmu_notifier *notifier;
};
struct task_struct {
	struct mm_struct *mm;
	int pid;
	bool killed;
	unsigned long nvcsw, nivcsw;
	struct {
		u64 sum_exec_runtime;
	} se;
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
#define mmap_write_lock_killable mmap_read_lock_killable
#define mmap_write_unlock	 mmap_read_unlock
struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long address);
long pin_user_pages(unsigned long address, unsigned long count, unsigned int flags,
		    struct page **pages);
void unpin_user_pages(struct page **pages, unsigned long count);
int get_user_pages_fast_only(unsigned long address, int count, unsigned int flags,
			     struct page **pages);
void put_page(struct page *page);
#define unpin_user_pages_dirty_lock(pages, count, dirty) unpin_user_pages(pages, count)

/* a folio is known by its first page; it may be joined or split when no page of it is pinned */
struct folio {
	struct page page;
};
static inline struct folio *page_folio(struct page *page)
{
	return (struct folio *)(page->head ? page->head : page);
}
static inline unsigned long folio_nr_pages(const struct folio *folio)
{
	shim_assert(folio->page.folio_pins);
	return folio->page.folio_pages ? folio->page.folio_pages : 1;
}
#define folio_pfn(folio)	     page_to_pfn(&(folio)->page)
#define page_to_pfn(page)	     (page_to_phys(page) / PAGE_SIZE)
#define folio_test_large(f)	     ((f)->page.folio_pages > 1)
#define folio_test_hugetlb(f)	     ((f)->page.is_hugetlb)
#define folio_test_has_hwpoisoned(f) ((f)->page.has_hwpoisoned)
/* of hugetlb it is the folio that is marked */
static inline bool is_page_hwpoison(struct page *page)
{
	struct page *head = &page_folio(page)->page;

	return head->is_hugetlb ? head->hwpoison : page->hwpoison;
}

/* limits of the process that runs, and what it may */
extern unsigned long shim_memlock; /* bytes */
extern bool shim_may_lock;
#define rlimit(which)	    ((void)(which), shim_memlock)
#define capable(capability) ((capability) == CAP_IPC_LOCK && shim_may_lock)
#define CAP_IPC_LOCK	    14

/* errors in pointers */
#define ERR_PTR(error)	    ((void *)(long)(error))
#define ERR_CAST(p)	    ((void *)(p))
#define PTR_ERR(p)	    ((long)(p))
#define IS_ERR(p)	    ((unsigned long)(void *)(p) >= (unsigned long)-4095)
#define PTR_ERR_OR_ZERO(p)  (IS_ERR(p) ? (int)PTR_ERR(p) : 0)

/* numbers by number */
#define SHIM_BUCKETS	    256
struct shim_entry {
	struct shim_entry *next;
	unsigned long index;
	void *value;
};
struct xarray {
	struct shim_entry *bucket[SHIM_BUCKETS];
};
#define XA_FLAGS_ACCOUNT     0
#define xa_init_flags(xa, f) memset(xa, 0, sizeof(*(xa)))
#define xa_mk_value(v)	     ((void *)((v) << 1 | 1))
#define xa_to_value(p)	     ((unsigned long)(p) >> 1)
#define xa_err(p)	     PTR_ERR_OR_ZERO(p)
void *xa_load(struct xarray *xa, unsigned long index);
void *xa_store(struct xarray *xa, unsigned long index, void *value, int flags);
void xa_erase(struct xarray *xa, unsigned long index);
void xa_destroy(struct xarray *xa);

/* one notifier for each address space; freed when a thread waits for that */
struct mmu_notifier {
	const struct mmu_notifier_ops *ops;
	struct mm_struct *mm;
	int users;
	struct mmu_notifier *next;
};
struct mmu_notifier_ops {
	struct mmu_notifier *(*alloc_notifier)(struct mm_struct *mm);
	void (*free_notifier)(struct mmu_notifier *notifier);
	void (*release)(struct mmu_notifier *notifier, struct mm_struct *mm);
};
struct mmu_notifier *mmu_notifier_get_locked(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm);
void mmu_notifier_put(struct mmu_notifier *notifier);
void mmu_notifier_synchronize(void);
void shim_exit_mmap(struct mm_struct *mm); /* its last user is gone */

/* the only tracepoint that there is */
struct tracepoint {
	const char *name;
	void (*probe)(void *, unsigned long, int, int);
};
extern struct tracepoint shim_memory_failure;
#define for_each_kernel_tracepoint(f, private)	 (f)(&shim_memory_failure, private)
#define tracepoint_probe_register(tp, f, data)	 ((tp)->probe = (f), 0)
#define tracepoint_probe_unregister(tp, f, data) ((tp)->probe = NULL)
#define tracepoint_synchronize_unregister()	 ((void)0)
void shim_fail_page(struct page *page);

#define WARN_ON(condition) shim_assert(!(condition))
static inline bool shim_warn(bool condition)
{
	shim_assert(!condition);
	return condition;
}
#define WARN_ON_ONCE		 shim_warn
#define cond_resched()		 shim_assert(!shim_spin_depth)
#define pr_err(...)		 ((void)0)
#define pr_warn_ratelimited(...) ((void)0)

unsigned long copy_from_user(void *to, const void *from, unsigned long n);
unsigned long copy_to_user(void *to, const void *from, unsigned long n);
extern bool shim_absent;	 /* user memory is not there: a fault would be needed */
extern unsigned int shim_faults; /* how often one was: the VMM could make the thread sleep */
long copy_from_user_nofault(void *to, const void *from, unsigned long n);
long copy_to_user_nofault(void *to, const void *from, unsigned long n);

#include "kvm.h"

#endif
