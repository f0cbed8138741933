// SPDX-License-Identifier: GPL-2.0-only
/*
 * An export's places: each attachment gets one, and may donate memory there (donate.c). A place may
 * be kept for the attachment that shows a ticket.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static int check_places(struct elisa_hc_places *in, struct eh_refusal *refusal)
{
	if (!in->count || in->count > ELISA_MAX_PLACES)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->count);
	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	if (in->per_vmm > in->count)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->per_vmm);
	if (in->size > ELISA_OBJECT_SIZE / PAGE_SIZE / in->count)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_RANGE, in->size);
	return eh_check_range(in->offset, in->size * in->count, ELISA_ORDER_4K, refusal);
}

static struct eh_place *places_new(struct eh_export *export, u32 count)
{
	struct eh_place *places = kcalloc(count, sizeof(*places), GFP_KERNEL_ACCOUNT);
	u32 i;

	for (i = 0; places && i < count; i++)
		places[i].export = export;
	return places;
}

/* Makes the places, once in an export's life. Attachments that exist get none. */
int eh_places_create(struct eh_export *export, struct elisa_hc_places *in,
		     struct eh_refusal *refusal)
{
	struct eh_place *places;
	bool overlaps;
	u64 *sink[EH_SINK_PAGES];
	bool has_sink;
	int r;

	r = check_places(in, refusal);
	if (r)
		return r;
	places = places_new(export, in->count);
	has_sink = eh_sink_make(sink);
	/* keeps the manager from mapping something there; no guest has donated anything yet */
	mutex_lock(&export->owner);
	overlaps = eh_export_overlaps(export, in->offset, in->size * in->count * PAGE_SIZE);
	spin_lock(&export->lock);
	if (export->dead) {
		r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, in->id);
	} else if (export->place_count) {
		r = eh_refuse(refusal, -EBUSY, ELISA_WHY_NO_PLACE, export->place_count);
	} else if (overlaps) {
		r = eh_refuse(refusal, -EEXIST, ELISA_WHY_OVERLAP, in->offset);
	} else if (!places || !has_sink) {
		r = eh_refuse(refusal, -ENOMEM, ELISA_WHY_NO_MEMORY, 0);
	} else {
		export->places = places;
		memcpy(export->sink, sink, sizeof(sink));
		export->places_offset = in->offset;
		export->place_pages = in->size;
		export->places_per_vmm = in->per_vmm;
		smp_store_release(&export->place_count, in->count);
	}
	spin_unlock(&export->lock);
	mutex_unlock(&export->owner);
	if (r) {
		eh_sink_free(sink);
		kfree(places);
	}
	return r;
}

/* Sets the ticket for the next attachment. One that has the place now keeps it. */
int eh_place_ticket(struct eh_export *export, struct elisa_hc_ticket *in,
		    struct eh_refusal *refusal)
{
	u32 count = smp_load_acquire(&export->place_count);

	if (in->place >= count)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_NO_PLACE, in->place);
	return eh_place_set_ticket(export, array_index_nospec(in->place, count), in->ticket,
				   refusal);
}

/*
 * Finds the first free place without a ticket, for @vm. The VMs of one VMM may have a limited
 * number of these, since otherwise one tenant could take them all. Under export->lock and
 * eh_registry.
 */
static int choose_open(struct eh_export *export, struct eh_vm *vm, u32 *place,
		       struct eh_refusal *refusal)
{
	u32 i, has = 0, found = ELISA_NO_PLACE;

	for (i = 0; i < export->place_count; i++) {
		const struct eh_place *at = &export->places[i];

		if (eh_ticket_is_set(at->ticket))
			continue;
		if (at->attachment)
			has += at->attachment->vm->vmm == vm->vmm;
		else if (found == ELISA_NO_PLACE)
			found = i;
	}
	if (export->places_per_vmm && has >= export->places_per_vmm)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_PLACES_PER_VMM,
				 export->places_per_vmm);
	if (found == ELISA_NO_PLACE)
		return eh_refuse(refusal, -ENOSPC, ELISA_WHY_NO_PLACE, found);
	*place = found;
	return 0;
}

/*
 * Chooses the place of a new attachment. *@place: in, the place that its ticket is for, or
 * ELISA_NO_PLACE; out, a free place that @vm may have. Refuses if there is none. Under export->lock
 * and eh_registry.
 */
int eh_place_choose(struct eh_export *export, struct eh_vm *vm, u32 *place,
		    struct eh_refusal *refusal)
{
	lockdep_assert_held(&export->lock);
	lockdep_assert_held(&eh_registry);
	if (!export->place_count)
		return 0;
	if (*place == ELISA_NO_PLACE)
		return choose_open(export, vm, place, refusal);
	if (export->places[*place].attachment)
		return eh_refuse(refusal, -EBUSY, ELISA_WHY_NO_PLACE, *place);
	return 0;
}

/* Under export->lock. */
void eh_place_take(struct eh_export *export, struct eh_attachment *a)
{
	lockdep_assert_held(&export->lock);
	if (a->place != ELISA_NO_PLACE)
		smp_store_release(&export->places[a->place].attachment, a);
}

/* Under export->lock. */
void eh_place_leave(struct eh_export *export, struct eh_attachment *a)
{
	lockdep_assert_held(&export->lock);
	if (a->place != ELISA_NO_PLACE)
		WRITE_ONCE(export->places[a->place].attachment, NULL);
}

/* The export ends. */
void eh_places_free(struct eh_export *export)
{
	eh_sink_free(export->sink);
	kfree_sensitive(export->places);
}
