// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: a function in sub rings a place of its export, and the VM that has the place gets an
 * interrupt; so does a VM whose attachment is revoked, and a manager's when an event waits for it.
 * It is an edge of an interrupt of the VM's own that its driver chose.
 *
 * Each VM has a bell of its own: a mark, a timer and a work. A ring sets the mark, under no lock
 * but the bell's, and costs the same however many VMs and exports there are. The work raises the
 * interrupt, without any lock, at the priority of ordinary threads. It runs for each bell at most
 * as often as the token bucket says; after that the timer starts it. So no VM waits for another's
 * bell, and rings without end cost the host a bounded part of a CPU.
 *
 * The work holds a reference to the VM. If it is the last one, putting it tears the VM down, which
 * takes long: only this bell's work waits then. That frees the VM in the work itself, so freeing a
 * VM must not wait for its bell's work. The work has a reference to the bell, and finds it without
 * a VM.
 */
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "kvm/kvm.h"
#include "path/path.h"

/* So many interrupts of a bell at once, then one in so long: 4,000 a second. */
#define RING_BURST  16
#define RING_PERIOD (250 * NSEC_PER_USEC)
/* One that takes long, by the routing that its VMM chose, has a share of a CPU: 1 in 20. */
#define RING_SHARE  20

struct eh_bell {
	struct kref ref;
	struct rcu_head rcu;
	raw_spinlock_t lock; /* all below; only a timer's and a workqueue's locks nest inside */
	struct kvm *kvm;     /* valid while there is a gsi */
	u32 gsi;	     /* or ELISA_NO_DOORBELL, as when the VM is gone */
	bool pending;	     /* there is a gsi, and the timer or the work is on its way */
	struct eh_bucket interrupts;
	struct hrtimer timer;
	struct work_struct work;
};

/* alone: no tenant's other works keep a ring from its turn */
static struct workqueue_struct *bells;

int eh_bells_init(void)
{
	/* not bound to the CPU of the vCPU that rings, which may keep it from running there */
	bells = alloc_workqueue("elisa-bells", WQ_UNBOUND, 0);
	return bells ? 0 : -ENOMEM;
}

static void bell_release(struct kref *ref)
{
	struct eh_bell *bell = container_of(ref, struct eh_bell, ref);

	/* it may be set still, and finds nothing to do */
	hrtimer_cancel(&bell->timer);
	/* eh_ring_place() may look at it */
	kfree_rcu(bell, rcu);
}

void eh_bell_get(struct eh_bell *bell)
{
	kref_get(&bell->ref);
}

void eh_bell_put(struct eh_bell *bell)
{
	kref_put(&bell->ref, bell_release);
}

/* Under bell->lock, pending: so the VM lives, and has a reference to the bell. */
static void start_work(struct eh_bell *bell)
{
	eh_bell_get(bell);
	if (!queue_work(bells, &bell->work))
		eh_bell_put(bell);
}

static enum hrtimer_restart is_time(struct hrtimer *timer)
{
	struct eh_bell *bell = container_of(timer, struct eh_bell, timer);
	unsigned long flags;

	raw_spin_lock_irqsave(&bell->lock, flags);
	if (bell->pending)
		start_work(bell);
	raw_spin_unlock_irqrestore(&bell->lock, flags);
	return HRTIMER_NORESTART;
}

/* Whose interrupt it is time to raise, with a reference; or NULL. */
static struct kvm *take_ring(struct eh_bell *bell, u32 *gsi)
{
	struct kvm *kvm = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&bell->lock, flags);
	if (bell->pending && eh_kvm_get(bell->kvm)) {
		kvm = bell->kvm;
		*gsi = bell->gsi;
		eh_bucket_take(&bell->interrupts, ktime_get_mono_fast_ns(), RING_PERIOD);
	}
	bell->pending = false;
	raw_spin_unlock_irqrestore(&bell->lock, flags);
	return kvm;
}

/*
 * The worker's own time. The scheduler's figure is exact only where it has switched; if it has not
 * done that since, no other thread had the CPU, and the clock says how long it was.
 */
struct spent {
	unsigned long switches;
	u64 clock, runtime; /* ns */
};

static struct spent spent_so_far(void)
{
	return (struct spent){current->nvcsw + current->nivcsw, ktime_get_mono_fast_ns(),
			      current->se.sum_exec_runtime};
}

static u64 spent_since(const struct spent *began)
{
	struct spent now = spent_so_far();

	return now.switches == began->switches ? now.clock - began->clock :
						 now.runtime - began->runtime;
}

/* What it took longer than take_ring() has taken for it. */
static void charge(struct eh_bell *bell, u64 spent)
{
	u64 cost = spent * RING_SHARE;
	unsigned long flags;

	if (cost <= RING_PERIOD)
		return;
	raw_spin_lock_irqsave(&bell->lock, flags);
	eh_bucket_take(&bell->interrupts, ktime_get_mono_fast_ns(), cost - RING_PERIOD);
	raw_spin_unlock_irqrestore(&bell->lock, flags);
}

static void answer(struct work_struct *work)
{
	struct eh_bell *bell = container_of(work, struct eh_bell, work);
	struct spent began;
	struct kvm *kvm;
	u32 gsi;

	kvm = take_ring(bell, &gsi);
	if (kvm) {
		eh_count(ELISA_COUNT_INTERRUPTS);
		began = spent_so_far();
		eh_kvm_interrupt(kvm, gsi);
		charge(bell, spent_since(&began));
		eh_kvm_put(kvm);
	}
	eh_bell_put(bell);
}

struct eh_bell *eh_bell_new(struct kvm *kvm)
{
	struct eh_bell *bell = kzalloc(sizeof(*bell), GFP_KERNEL_ACCOUNT);

	if (!bell)
		return NULL;
	kref_init(&bell->ref);
	raw_spin_lock_init(&bell->lock);
	bell->kvm = kvm;
	bell->gsi = ELISA_NO_DOORBELL;
	eh_timer_setup(&bell->timer, is_time);
	INIT_WORK(&bell->work, answer);
	return bell;
}

/* No interrupt any more until the VM's driver asks for it: the VM may be freed after this. */
void eh_bell_silence(struct eh_bell *bell)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&bell->lock, flags);
	bell->gsi = ELISA_NO_DOORBELL;
	bell->pending = false;
	raw_spin_unlock_irqrestore(&bell->lock, flags);
}

/* From exit paths, too. The caller keeps the bell from being freed. */
void eh_bell_ring(struct eh_bell *bell)
{
	unsigned long flags;
	u64 wait;

	raw_spin_lock_irqsave(&bell->lock, flags);
	if (bell->gsi != ELISA_NO_DOORBELL && !bell->pending) {
		bell->pending = true;
		wait = eh_bucket_wait(&bell->interrupts, ktime_get_mono_fast_ns(),
				      (RING_BURST - 1) * RING_PERIOD);
		if (wait)
			hrtimer_start(&bell->timer, ns_to_ktime(wait), HRTIMER_MODE_REL_HARD);
		else
			start_work(bell);
	}
	raw_spin_unlock_irqrestore(&bell->lock, flags);
}

/*
 * From the exit path, with IRQs off: the export lives, the place may be any number. The attachment
 * that has the place may end meanwhile: it and its bell are freed after a grace period.
 */
void eh_ring_place(struct eh_export *export, u64 place)
{
	u32 count = smp_load_acquire(&export->place_count);
	struct eh_attachment *a;

	eh_count(ELISA_COUNT_RINGS);
	if (place >= count)
		return;
	rcu_read_lock();
	a = READ_ONCE(export->places[array_index_nospec(place, count)].attachment);
	if (a)
		eh_bell_ring(a->bell);
	rcu_read_unlock();
}

/* The GSI of this bell's interrupt. True: it is another one than before. */
bool eh_bell_set(struct eh_bell *bell, u32 gsi)
{
	unsigned long flags;
	bool is_new;

	raw_spin_lock_irqsave(&bell->lock, flags);
	is_new = bell->gsi != gsi;
	bell->gsi = gsi;
	raw_spin_unlock_irqrestore(&bell->lock, flags);
	return is_new;
}

/* Returns when no work raises an interrupt of a bell that is silent. Sleeps. */
void eh_bells_flush(void)
{
	flush_workqueue(bells);
}

/* No hook runs: a VM that was on its way out of the list has silenced its bell, too. */
void eh_bells_exit(void)
{
	destroy_workqueue(bells);
}
