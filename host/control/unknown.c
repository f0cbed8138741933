// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs without a grant for what they ask, and what is refused: administrators' files are told, each
 * VMM's VMs only once in a while. A VM that nothing was granted gets no state here: what is
 * remembered is a fixed table of times, by a keyed hash of the VMM's identity.
 *
 * A hostile VM may ask without end. Its VMM's entry lets one telling pass in RETELL. A VMM cannot
 * choose its entry, for the key is secret. Two VMMs may have the same one by chance: the entry has
 * the rest of the hash as well, and lets another VMM's telling pass after OTHERS. So the VMM that
 * asks all the time leaves its neighbour most of the time, and an entry costs readers four records
 * a second at the most. Two that have the same entry, and take turns, can silence a third one. To
 * do that to 60 % of all others takes some 2,000 VMMs.
 *
 * A telling that found no room in the ring of a reader that answers is not remembered: the next
 * request is told.
 */
#include <linux/kvm_host.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "base/base.h"
#include "control/control.h"
#include "path/path.h"

#define ENTRIES 1024
#define RETELL	NSEC_PER_SEC
#define OTHERS	(NSEC_PER_SEC / 4)

static DEFINE_SPINLOCK(told_lock); /* the table; stream_lock nests inside it */
static struct {
	u64 hash, time_ns;
} told[ENTRIES];
static siphash_key_t key; /* const after init */

void eh_unknown_init(void)
{
	get_random_bytes(&key, sizeof(key));
}

/* Reports it, unless there was a report about the VMM's VMs a moment ago. */
static void tell_sometimes(const struct kvm *kvm, struct elisa_host_event event)
{
	const u64 hash = siphash_2u64((unsigned long)kvm->mm, event.kind, &key);
	const u64 now = ktime_get_mono_fast_ns();
	typeof(told[0]) *entry = &told[hash % ENTRIES];
	u64 wait;

	event.pid = task_tgid_nr(current);
	spin_lock(&told_lock);
	wait = entry->hash == hash ? RETELL : OTHERS;
	if (!entry->time_ns || eh_time_since(entry->time_ns, now) >= wait) {
		if (eh_stream_tell(event)) {
			entry->hash = hash;
			entry->time_ns = now;
		}
	}
	spin_unlock(&told_lock);
}

/*
 * Reports a request of a VM without a grant for @name, which has a NUL and may be empty. True: an
 * administrator's program reads the reports and may grant the request.
 */
bool eh_unknown_tell(struct kvm *kvm, u32 right, const char *name)
{
	struct elisa_host_event event = {.kind = ELISA_HOST_EVENT_UNKNOWN, .rights = right};

	if (!eh_stream_wants(ELISA_HOST_EVENT_UNKNOWN))
		return false;
	strscpy(event.name, name, sizeof(event.name));
	tell_sometimes(kvm, event);
	return eh_stream_answers();
}

/* Reports a failed request of a VM that has a grant. @name: with a NUL, may be empty. */
void eh_refused_tell(struct eh_vm *vm, u32 call, const char *name, const struct eh_refusal *refusal)
{
	struct elisa_host_event event = {.kind = ELISA_HOST_EVENT_REFUSED,
					 .vm = vm->id,
					 .call = call,
					 .reason = refusal->why,
					 .value = (s64)refusal->value};

	if (!eh_stream_wants(ELISA_HOST_EVENT_REFUSED))
		return;
	strscpy(event.name, name, sizeof(event.name));
	tell_sometimes(vm->kvm, event);
}
