// SPDX-License-Identifier: GPL-2.0-only
/*
 * An export's places: each attachment gets one, and may donate memory there (donate.c). A place may
 * be kept for the attachment that shows a ticket.
 */
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>

#include "elisa.h"

static int check_places(struct elisa_hc_places *in, u32 *why, u64 *value)
{
	if (!in->count || in->count > ELISA_MAX_PLACES)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->count);
	if (in->pad)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->pad);
	if (in->per_vmm > in->count)
		return elisa_fail(-EINVAL, why, ELISA_WHY_FIELD, value, in->per_vmm);
	if (in->size > ELISA_OBJECT_SIZE / PAGE_SIZE / in->count)
		return elisa_fail(-EINVAL, why, ELISA_WHY_RANGE, value, in->size);
	return elisa_check_range(in->offset, in->size * in->count, why, value);
}

static struct elisa_place *places_new(struct elisa_export *export, u32 count)
{
	struct elisa_place *places = kcalloc(count, sizeof(*places), GFP_KERNEL_ACCOUNT);
	u32 i;

	for (i = 0; places && i < count; i++)
		places[i].export = export;
	return places;
}

/* Once in an export's life. Attachments that exist have no place. */
int elisa_places_create(struct elisa_export *export, struct elisa_hc_places *in, u32 *why,
			u64 *value)
{
	struct elisa_place *places;
	bool overlaps;
	void *sink;
	int r;

	r = check_places(in, why, value);
	if (r)
		return r;
	places = places_new(export, in->count);
	sink = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	/* keeps the manager from mapping something there; no guest has donated anything yet */
	mutex_lock(&export->owner);
	overlaps = elisa_export_overlaps(export, in->offset, in->size * in->count * PAGE_SIZE);
	spin_lock(&export->lock);
	if (export->dead) {
		r = elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, in->id);
	} else if (export->place_count) {
		r = elisa_fail(-EBUSY, why, ELISA_WHY_NO_PLACE, value, export->place_count);
	} else if (overlaps) {
		r = elisa_fail(-EEXIST, why, ELISA_WHY_OVERLAP, value, in->offset);
	} else if (!places || !sink) {
		r = elisa_fail(-ENOMEM, why, ELISA_WHY_NO_MEMORY, value, 0);
	} else {
		export->places = places;
		export->sink = sink;
		export->places_offset = in->offset;
		export->place_pages = in->size;
		export->places_per_vmm = in->per_vmm;
		smp_store_release(&export->place_count, in->count);
	}
	spin_unlock(&export->lock);
	mutex_unlock(&export->owner);
	if (r) {
		free_page((unsigned long)sink);
		kfree(places);
	}
	return r;
}

/* For the next attachment: one that has the place now keeps it. */
int elisa_place_ticket(struct elisa_export *export, struct elisa_hc_ticket *in, u32 *why,
		       u64 *value)
{
	u32 count = smp_load_acquire(&export->place_count);

	if (in->place >= count)
		return elisa_fail(-EINVAL, why, ELISA_WHY_NO_PLACE, value, in->place);
	return elisa_place_set_ticket(export, array_index_nospec(in->place, count), in->ticket, why,
				      value);
}

/*
 * The first free place that has no ticket, for @vm. The VMs of one VMM may have a number of these,
 * for otherwise one tenant could take them all. Under export->lock and elisa_registry.
 */
static int choose_open(struct elisa_export *export, struct elisa_vm *vm, u32 *place, u32 *why,
		       u64 *value)
{
	u32 i, has = 0, found = ELISA_NO_PLACE;

	for (i = 0; i < export->place_count; i++) {
		const struct elisa_place *at = &export->places[i];

		if (elisa_ticket_is_set(at->ticket))
			continue;
		if (at->attachment)
			has += at->attachment->vm->vmm == vm->vmm;
		else if (found == ELISA_NO_PLACE)
			found = i;
	}
	if (export->places_per_vmm && has >= export->places_per_vmm)
		return elisa_fail(-EDQUOT, why, ELISA_WHY_PLACES_PER_VMM, value,
				  export->places_per_vmm);
	if (found == ELISA_NO_PLACE)
		return elisa_fail(-ENOSPC, why, ELISA_WHY_NO_PLACE, value, found);
	*place = found;
	return 0;
}

/*
 * *@place: the place that a ticket was for, or ELISA_NO_PLACE. Finds out whether that one is free,
 * or one that @vm may have. Under export->lock and elisa_registry.
 */
int elisa_place_choose(struct elisa_export *export, struct elisa_vm *vm, u32 *place, u32 *why,
		       u64 *value)
{
	lockdep_assert_held(&export->lock);
	lockdep_assert_held(&elisa_registry);
	if (!export->place_count)
		return 0;
	if (*place == ELISA_NO_PLACE)
		return choose_open(export, vm, place, why, value);
	if (export->places[*place].attachment)
		return elisa_fail(-EBUSY, why, ELISA_WHY_NO_PLACE, value, *place);
	return 0;
}

/* Under export->lock. */
void elisa_place_take(struct elisa_export *export, struct elisa_attachment *a)
{
	lockdep_assert_held(&export->lock);
	if (a->place != ELISA_NO_PLACE)
		smp_store_release(&export->places[a->place].attachment, a);
}

/* Under export->lock. */
void elisa_place_leave(struct elisa_export *export, struct elisa_attachment *a)
{
	lockdep_assert_held(&export->lock);
	if (a->place != ELISA_NO_PLACE)
		WRITE_ONCE(export->places[a->place].attachment, NULL);
}

/* The export ends. */
void elisa_places_free(struct elisa_export *export)
{
	free_page((unsigned long)export->sink);
	kfree_sensitive(export->places);
}
