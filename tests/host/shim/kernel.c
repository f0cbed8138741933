// SPDX-License-Identifier: Apache-2.0
/* The part of kernel.h that is more than a macro. */
long shim_live, shim_fail_after = -1, shim_modules;
unsigned long shim_flushes;
unsigned int shim_spin_depth, shim_mutex_depth;
u64 shim_vmcs[0x8000];
bool shim_cpu_has[2];
u64 shim_trace_msr[2];
unsigned int tsc_khz = 2000000;
struct shim_cpu boot_cpu_data = {.x86_phys_bits = 39};
struct task_struct shim_tasks[2], *current = &shim_tasks[0];
static struct pid pids[2];
static struct work_struct *pending;
u64 shim_siphash;

void shim_bug(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: the kernel would not stand this: %s\n", file, line, text);
	abort();
}

void (*shim_meanwhile)(void);
long shim_meanwhile_at;

static void other_thread(long at)
{
	void (*meanwhile)(void) = shim_meanwhile;
	struct task_struct *this = current;
	unsigned int depth = shim_mutex_depth;

	if (!meanwhile || shim_meanwhile_at != at)
		return;
	shim_meanwhile = NULL;
	/* the mutexes that this thread has stay held, but are not the other one's */
	shim_mutex_depth = 0;
	meanwhile();
	shim_mutex_depth = depth;
	current = this;
}

/* ---- memory */
static bool may_allocate(void)
{
	shim_assert(!shim_spin_depth);
	other_thread(0);
	if (shim_meanwhile_at > 0)
		shim_meanwhile_at--;
	if (!shim_fail_after)
		return false;
	if (shim_fail_after > 0)
		shim_fail_after--;
	shim_live++;
	return true;
}

void *shim_alloc(size_t size)
{
	void *p = may_allocate() ? calloc(1, size) : NULL;

	return p;
}

void kfree(const void *p)
{
	shim_live -= !!p;
	free((void *)(unsigned long)p);
}

unsigned long get_zeroed_page(int flags)
{
	void *page;

	(void)flags;
	if (!may_allocate())
		return 0;
	page = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	shim_assert(page);
	return (unsigned long)memset(page, 0, PAGE_SIZE);
}

void free_page(unsigned long page)
{
	kfree((void *)page);
}

void *memchr_inv(const void *start, int c, size_t bytes)
{
	const u8 *p = start;

	for (; bytes; bytes--, p++)
		if (*p != (u8)c)
			return (void *)(unsigned long)p;
	return NULL;
}

/* ---- locks */
void mutex_lock(struct mutex *lock)
{
	other_thread(-2);
	shim_assert(!lock->held && !shim_spin_depth);
	lock->held = true;
	shim_mutex_depth++;
}

void mutex_unlock(struct mutex *lock)
{
	shim_assert(lock->held);
	lock->held = false;
	shim_mutex_depth--;
}

void shim_spin_lock(spinlock_t *lock)
{
	shim_assert(!lock->held);
	lock->held = true;
	shim_spin_depth++;
}

void shim_spin_unlock(spinlock_t *lock)
{
	shim_assert(lock->held);
	lock->held = false;
	shim_spin_depth--;
}

bool schedule_work(struct work_struct *work)
{
	if (work->pending)
		return false;
	work->pending = true;
	work->next = pending;
	pending = work;
	return true;
}

void shim_run_work(void)
{
	struct work_struct *work, *next = pending;

	shim_assert(!shim_mutex_depth);
	/* what is asked for meanwhile waits for the next time */
	pending = NULL;
	while ((work = next)) {
		next = work->next;
		work->pending = false;
		work->function(work);
	}
}

u64 shim_tick = 100000;
static u64 now;

u64 ktime_get_mono_fast_ns(void)
{
	now += shim_tick;
	return now;
}

void shim_pass(u64 ns)
{
	now += ns;
}

u64 shim_slept;

void schedule_hrtimeout(const ktime_t *time, int mode)
{
	(void)mode;
	shim_assert(!shim_mutex_depth && !shim_spin_depth);
	now += *time;
	shim_slept += *time;
}

static void timer_over(struct work_struct *work)
{
	struct hrtimer *timer = container_of(work, struct hrtimer, over);

	now += timer->wait;
	timer->function(timer);
}

void eh_timer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *))
{
	timer->function = function;
	timer->over.function = timer_over;
}

void hrtimer_start(struct hrtimer *timer, u64 wait, int mode)
{
	(void)mode;
	timer->wait = wait;
	schedule_work(&timer->over);
}

void hrtimer_cancel(struct hrtimer *timer)
{
	struct work_struct **at;

	for (at = &pending; *at; at = &(*at)->next)
		if (*at == &timer->over) {
			*at = timer->over.next;
			break;
		}
	timer->over.pending = false;
}

int shim_cpu;
unsigned long shim_interrupted, shim_invept_all, shim_invepts;
u64 shim_invept[SHIM_INVEPTS];

void on_each_cpu_mask(const struct cpumask *mask, void (*function)(void *), void *info, bool wait)
{
	shim_assert(wait && !shim_spin_depth);
	shim_interrupted = mask->bits;
	shim_flushes++;
	other_thread(-1);
	function(info);
}

/* ---- processes */
struct pid *find_get_pid(int nr)
{
	for (int i = 0; i < 2; i++)
		if (shim_tasks[i].pid == nr) {
			pids[i].task = &shim_tasks[i];
			return &pids[i];
		}
	return NULL;
}

struct task_struct *get_pid_task(struct pid *pid, enum pid_type type)
{
	(void)type;
	return pid->task;
}

struct mm_struct *get_task_mm(struct task_struct *task)
{
	if (task->mm)
		task->mm->mm_users.counter++;
	return task->mm;
}

int mmap_read_lock_killable(struct mm_struct *mm)
{
	/* a fault may wait for a VMM that waits for us */
	shim_assert(!mm->locked && !shim_mutex_depth && !shim_spin_depth);
	mm->locked = true;
	return 0;
}

void mmap_read_unlock(struct mm_struct *mm)
{
	shim_assert(mm->locked);
	mm->locked = false;
}

struct vm_area_struct *vma_lookup(struct mm_struct *mm, unsigned long address)
{
	shim_assert(mm->locked);
	for (int i = 0; i < SHIM_VMAS; i++)
		if (address >= mm->vma[i].vm_start && address < mm->vma[i].vm_end)
			return &mm->vma[i];
	return NULL;
}

static struct page *page_at(struct mm_struct *mm, unsigned long address)
{
	unsigned long n = (address - (unsigned long)mm->memory) / PAGE_SIZE;
	unsigned long more = (address - (unsigned long)mm->more.memory) / PAGE_SIZE;

	if (n < mm->page_count)
		return &mm->pages[n];
	if (more < mm->more.count) {
		mm->more.pages[more].data = mm->more.memory + more * PAGE_SIZE;
		return &mm->more.pages[more];
	}
	return NULL;
}

long pin_user_pages(unsigned long address, unsigned long count, unsigned int flags,
		    struct page **pages)
{
	struct mm_struct *mm = current->mm;
	struct page *page = page_at(mm, address);

	shim_assert(mm->locked && count == 1 && flags == (FOLL_WRITE | FOLL_LONGTERM));
	shim_assert(page);
	if (page->unpinnable)
		return -EFAULT;
	page->pins++;
	page_folio(page)->page.folio_pins++;
	*pages = page;
	return 1;
}

/* At a page that was lost another one is, of no folio. */
int get_user_pages_fast_only(unsigned long address, int count, unsigned int flags,
			     struct page **pages)
{
	static struct page other;
	int i;

	shim_assert(flags == FOLL_WRITE);
	for (i = 0; i < count; i++) {
		struct page *page = page_at(current->mm, address + i * PAGE_SIZE);

		if (!page || page->unpinnable)
			break;
		pages[i] = page->lost ? &other : page;
		pages[i]->references++;
	}
	return i;
}

void put_page(struct page *page)
{
	shim_assert(page->references > 0);
	page->references--;
}

void unpin_user_pages(struct page **pages, unsigned long count)
{
	for (unsigned long i = 0; i < count; i++) {
		shim_assert(pages[i]->pins > 0);
		pages[i]->pins--;
		page_folio(pages[i])->page.folio_pins--;
		pages[i]->unpinned_at = shim_flushes;
	}
}

unsigned long shim_memlock;
bool shim_may_lock;

/* ---- numbers by number */
static struct shim_entry **find(struct xarray *xa, unsigned long index)
{
	struct shim_entry **at = &xa->bucket[index % SHIM_BUCKETS];

	while (*at && (*at)->index != index)
		at = &(*at)->next;
	return at;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	struct shim_entry *entry = *find(xa, index);

	return entry ? entry->value : NULL;
}

void *xa_store(struct xarray *xa, unsigned long index, void *value, int flags)
{
	struct shim_entry **at = find(xa, index);

	(void)flags;
	if (!*at) {
		*at = shim_alloc(sizeof(**at));
		if (!*at)
			return ERR_PTR(-ENOMEM);
		(*at)->index = index;
	}
	(*at)->value = value;
	return NULL;
}

void xa_erase(struct xarray *xa, unsigned long index)
{
	struct shim_entry **at = find(xa, index), *entry = *at;

	if (!entry)
		return;
	*at = entry->next;
	kfree(entry);
}

void xa_destroy(struct xarray *xa)
{
	for (unsigned int i = 0; i < SHIM_BUCKETS; i++)
		while (xa->bucket[i])
			xa_erase(xa, xa->bucket[i]->index);
}

/* ---- the end of an address space */
static struct mmu_notifier *put;

struct mmu_notifier *mmu_notifier_get_locked(const struct mmu_notifier_ops *ops,
					     struct mm_struct *mm)
{
	struct mmu_notifier *notifier = mm->notifier;

	shim_assert(mm->locked && mm->mm_users.counter > 0);
	if (!notifier) {
		notifier = ops->alloc_notifier(mm);
		if (IS_ERR(notifier))
			return notifier;
		notifier->ops = ops;
		notifier->mm = mm;
		mm->notifier = notifier;
		mmgrab(mm);
	}
	notifier->users++;
	return notifier;
}

void mmu_notifier_put(struct mmu_notifier *notifier)
{
	shim_assert(notifier->users > 0);
	if (--notifier->users)
		return;
	if (notifier->mm->notifier == notifier)
		notifier->mm->notifier = NULL;
	notifier->next = put;
	put = notifier;
}

void mmu_notifier_synchronize(void)
{
	struct mmu_notifier *notifier;
	struct mm_struct *mm;

	shim_assert(!shim_mutex_depth);
	while ((notifier = put)) {
		put = notifier->next;
		mm = notifier->mm;
		notifier->ops->free_notifier(notifier);
		mmdrop(mm);
	}
}

void shim_exit_mmap(struct mm_struct *mm)
{
	struct mmu_notifier *notifier = mm->notifier;

	mm->mm_users.counter = 0;
	mm->notifier = NULL;
	if (notifier)
		notifier->ops->release(notifier, mm);
}

/* ---- memory that fails */
struct tracepoint shim_memory_failure = {.name = "memory_failure_event"};

void shim_fail_page(struct page *page)
{
	page->hwpoison = page_folio(page)->page.has_hwpoisoned = true;
	page_folio(page)->page.hwpoison |= page_folio(page)->page.is_hugetlb;
	shim_memory_failure.probe(NULL, (unsigned long)page->data / PAGE_SIZE, 0, 0);
}

static bool in_user_memory(unsigned long address, unsigned long n)
{
	struct mm_struct *mm = current->mm;

	return address >= (unsigned long)mm->memory &&
	       address + n <= (unsigned long)mm->memory + mm->page_count * PAGE_SIZE;
}

bool shim_absent;
unsigned int shim_faults;

unsigned long copy_from_user(void *to, const void *from, unsigned long n)
{
	shim_assert(!shim_mutex_depth && in_user_memory((unsigned long)from, n));
	shim_faults += shim_absent;
	memcpy(to, from, n);
	return 0;
}

unsigned long copy_to_user(void *to, const void *from, unsigned long n)
{
	shim_assert(!shim_mutex_depth && in_user_memory((unsigned long)to, n));
	shim_faults += shim_absent;
	memcpy(to, from, n);
	return 0;
}

long copy_from_user_nofault(void *to, const void *from, unsigned long n)
{
	return shim_absent ? -EFAULT : (long)copy_from_user(to, from, n);
}

long copy_to_user_nofault(void *to, const void *from, unsigned long n)
{
	return shim_absent ? -EFAULT : (long)copy_to_user(to, from, n);
}

/* ---- KVM */
struct kvm_memory_slot *__gfn_to_memslot(struct kvm_memory_slot *slots, gfn_t gfn)
{
	for (int i = 0; i < SHIM_MEMSLOTS; i++)
		if (gfn >= slots[i].base_gfn && gfn - slots[i].base_gfn < slots[i].npages)
			return &slots[i];
	return NULL;
}

/* ---- tracepoints */
#define SHIM_EVENTS 32
static struct {
	const char *name;
	unsigned int count;
} shim_events[SHIM_EVENTS];

static unsigned int *shim_event_count(const char *name)
{
	int i = 0;

	while (i < SHIM_EVENTS - 1 && shim_events[i].name && strcmp(shim_events[i].name, name))
		i++;
	shim_assert(i < SHIM_EVENTS - 1);
	shim_events[i].name = name;
	return &shim_events[i].count;
}

void shim_trace(const char *name)
{
	++*shim_event_count(name);
}

unsigned int shim_traced(const char *name)
{
	unsigned int *count = shim_event_count(name), was = *count;

	*count = 0;
	return was;
}
