// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells. A VM gets its doorbell interrupt in three cases: a function in sub rings a place that
 * the VM has, an attachment of the VM is revoked, or an event waits for the VM as a manager. The
 * interrupt is an edge of one that the VM's driver chose.
 *
 * Each VM has a bell of its own: a mark, a timer and a work. A ring sets the mark under the bell's
 * lock alone, and costs the same however many VMs and exports exist. The work raises the interrupt,
 * without any lock, at the priority of ordinary threads. A token bucket limits how often the work
 * runs for a bell. When the bucket is empty, the timer starts the work later. So no VM waits for
 * another VM's bell, and endless rings cost the host a bounded part of a CPU.
 *
 * The work holds a reference to the VM. If it is the last one, dropping it tears the VM down, which
 * takes long; only this bell's work waits then. The VM is then freed in the work itself, so freeing
 * a VM must not wait for the work of its bell. The work also has a reference to the bell, and finds
 * the bell without a VM.
 */
#include <linux/hrtimer.h>
#include <linux/kvm_host.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "base/base.h"
#include "kvm/kvm.h"
#include "path/path.h"

/* A bell may raise this many interrupts at once, then one in this time: 4,000 a second. */
#define RING_BURST  16
#define RING_PERIOD (250 * NSEC_PER_USEC)
/* An interrupt may take long, by the routing that the VMM chose. Its bell gets 1/20 of a CPU. */
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

/* a queue for bells alone, so that no other work of a tenant delays a ring */
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

	/* the timer may be set still, and then finds no work */
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

/*
 * Starts the work, with a reference to the bell. Under bell->lock, with `pending` set. So the VM
 * lives, and its own reference keeps the bell.
 */
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

/* Returns the VM to interrupt now, with a reference; or NULL. */
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

/* Takes the time from the bucket that the interrupt took beyond take_ring()'s share. */
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

/*
 * Silences the bell until the VM's driver asks for interrupts again. The VM may be freed after
 * this.
 */
void eh_bell_silence(struct eh_bell *bell)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&bell->lock, flags);
	bell->gsi = ELISA_NO_DOORBELL;
	bell->pending = false;
	raw_spin_unlock_irqrestore(&bell->lock, flags);
}

/* Rings the bell. From any context, also exit paths. The caller keeps the bell from being freed. */
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
 * Rings the bell of the attachment that has a place. The export lives, and the place may be any
 * number. The attachment may end meanwhile: it and its bell are freed after a grace period. From
 * the exit path, with IRQs off.
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

/* Sets the GSI of the bell's interrupt. Returns true if it is another one than before. */
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

/* Waits until no work raises an interrupt of a silent bell. Sleeps. */
void eh_bells_flush(void)
{
	flush_workqueue(bells);
}

/* No hook runs: a VM that was on its way out of the list has silenced its bell, too. */
void eh_bells_exit(void)
{
	destroy_workqueue(bells);
}
