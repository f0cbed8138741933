// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory of exports: by number, by name, by ticket. All of it is under elisa_registry, and a
 * look costs the same however many exports and places there are: names and tickets are hashed with
 * a key that no VM knows, so that no VM can choose what shares a chain.
 *
 * An export enters once and leaves once. The thread that takes it out is the one that ends it.
 */
#include <linux/hashtable.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "elisa.h"

LIST_HEAD(elisa_exports);
static u64 last_export;		       /* elisa_registry, as all below */
static DEFINE_HASHTABLE(by_name, 8);   /* public exports */
static DEFINE_HASHTABLE(by_ticket, 8); /* private exports */
static DEFINE_HASHTABLE(by_place, 8);  /* places that have a ticket */
static siphash_key_t key;	       /* const after init */

void elisa_directory_init(void)
{
	get_random_bytes(&key, sizeof(key));
}

static u32 hash_of_name(const char *name)
{
	return siphash(name, strnlen(name, ELISA_NAME_SIZE), &key);
}

static u32 hash_of_ticket(const u8 *ticket)
{
	return siphash(ticket, ELISA_TICKET_SIZE, &key);
}

bool elisa_ticket_is_set(const u8 *ticket)
{
	return memchr_inv(ticket, 0, ELISA_TICKET_SIZE);
}

/* The time to compare a ticket must not tell how much of it fits. */
static bool ticket_matches(const u8 *a, const u8 *b)
{
	u8 difference = 0;
	int i;

	for (i = 0; i < ELISA_TICKET_SIZE; i++)
		difference |= a[i] ^ b[i];
	return !difference;
}

static struct elisa_export *look_up_ticket(const u8 *ticket, u32 *place)
{
	u32 hash = hash_of_ticket(ticket);
	struct elisa_export *export;
	struct elisa_place *p;

	hash_for_each_possible(by_place, p, hash, hash)
		if (ticket_matches(p->ticket, ticket)) {
			*place = p - p->export->places;
			return p->export;
		}
	hash_for_each_possible(by_ticket, export, hash, hash)
		if (ticket_matches(export->ticket, ticket))
			return export;
	return NULL;
}

/*
 * By ticket if there is one (*place: the place that it is for), else the public export of
 * this name. Under elisa_registry.
 */
struct elisa_export *elisa_export_look_up(const char *name, const u8 *ticket, u32 *place)
{
	struct elisa_export *export;

	lockdep_assert_held(&elisa_registry);
	*place = ELISA_NO_PLACE;
	if (elisa_ticket_is_set(ticket))
		return look_up_ticket(ticket, place);
	hash_for_each_possible(by_name, export, hash, hash_of_name(name))
		if (!strcmp(export->name, name))
			return export;
	return NULL;
}

/* The same with a reference. */
struct elisa_export *elisa_export_find(const char *name, const u8 *ticket, u32 *place)
{
	struct elisa_export *export;

	spin_lock(&elisa_registry);
	export = elisa_export_look_up(name, ticket, place);
	if (export)
		kref_get(&export->ref);
	spin_unlock(&elisa_registry);
	return export;
}

/* The VM's export of this number, with a reference, or NULL. */
struct elisa_export *elisa_export_of(struct elisa_vm *vm, u32 id)
{
	struct elisa_export *export, *found = NULL;

	spin_lock(&elisa_registry);
	list_for_each_entry(export, &vm->exports, node)
		if (export->id == id) {
			found = export;
			kref_get(&export->ref);
			break;
		}
	spin_unlock(&elisa_registry);
	return found;
}

/* What comes after @at in the list of @vm's exports, or of all; its head: nothing. */
static struct list_head *following(struct elisa_vm *vm, struct elisa_export *at)
{
	if (vm)
		return at ? at->node.next : vm->exports.next;
	return at ? at->all.next : elisa_exports.next;
}

static struct elisa_export *entry_in(struct elisa_vm *vm, struct list_head *at)
{
	if (vm)
		return at != &vm->exports ? list_entry(at, struct elisa_export, node) : NULL;
	return at != &elisa_exports ? list_entry(at, struct elisa_export, all) : NULL;
}

/*
 * The export of @vm's, or of any VM's, after @last, or the first (NULL), with a reference. @last's
 * reference goes. If @last has left meanwhile, the next one is looked for by its number.
 */
struct elisa_export *elisa_export_next(struct elisa_vm *vm, struct elisa_export *last)
{
	struct elisa_export *next;

	spin_lock(&elisa_registry);
	next = entry_in(vm, following(vm, last && hash_hashed(&last->hash) ? last : NULL));
	while (next && last && next->sequence <= last->sequence)
		next = entry_in(vm, following(vm, next));
	if (next)
		kref_get(&next->ref);
	spin_unlock(&elisa_registry);
	if (last)
		elisa_export_put(last);
	return next;
}

/*
 * Numbers of exports come round after 2^32: 0 is none, and the VM has no second one with the number
 * of one that it has.
 */
static void give_number(struct elisa_export *export)
{
	struct elisa_export *other;
	bool taken;

	do {
		export->sequence = ++last_export;
		export->id = (u32) export->sequence;
		taken = !export->id;
		list_for_each_entry(other, &export->vm->exports, node)
			taken |= other->id == export->id;
	} while (taken);
}

/* Under elisa_registry: may the export enter? */
static int check_entry(struct elisa_export *export, u32 *why, u64 *value)
{
	struct elisa_vmm *vmm = export->vm->vmm;
	u32 place;

	if (!elisa_grant_holds(vmm, export->terms.grant_id))
		return elisa_fail(-EPERM, why, ELISA_WHY_NO_GRANT, value, 0);
	if (vmm->export_count >= ELISA_EXPORTS_PER_VMM)
		return elisa_fail(-EDQUOT, why, ELISA_WHY_QUOTA, value, ELISA_EXPORTS_PER_VMM);
	if (elisa_export_look_up(export->name, export->ticket, &place))
		return elisa_fail(-EEXIST, why, ELISA_WHY_NAME_TAKEN, value, 0);
	return 0;
}

/* Gives the export its number, if its name or ticket is free. The directory has a reference. */
int elisa_export_enter(struct elisa_export *export, u32 *why, u64 *value)
{
	int r;

	spin_lock(&elisa_registry);
	r = check_entry(export, why, value);
	if (!r) {
		kref_get(&export->ref);
		give_number(export);
		export->vm->vmm->export_count++;
		list_add_tail(&export->node, &export->vm->exports);
		list_add_tail(&export->all, &elisa_exports);
		if (export->flags & ELISA_EXPORT_PRIVATE)
			hash_add(by_ticket, &export->hash, hash_of_ticket(export->ticket));
		else
			hash_add(by_name, &export->hash, hash_of_name(export->name));
	}
	spin_unlock(&elisa_registry);
	return r;
}

/* True: the export was in the directory. The caller gets its reference, and ends the export. */
bool elisa_export_leave(struct elisa_export *export)
{
	bool was_there;
	u32 i;

	spin_lock(&elisa_registry);
	was_there = hash_hashed(&export->hash);
	if (was_there) {
		hash_del(&export->hash);
		list_del(&export->node);
		list_del(&export->all);
		export->vm->vmm->export_count--;
		for (i = 0; i < export->place_count; i++)
			hash_del(&export->places[i].hash);
	}
	spin_unlock(&elisa_registry);
	return was_there;
}

/* The place of this ticket is @place from now on; it has no other. All 0: none. */
int elisa_place_set_ticket(struct elisa_export *export, u32 place, const u8 *ticket, u32 *why,
			   u64 *value)
{
	struct elisa_place *p = &export->places[place];
	bool set = elisa_ticket_is_set(ticket);
	int r = 0;
	u32 other;

	spin_lock(&elisa_registry);
	if (!hash_hashed(&export->hash)) {
		r = elisa_fail(-ENOENT, why, ELISA_WHY_NO_EXPORT, value, export->id);
	} else if (set && look_up_ticket(ticket, &other)) {
		r = elisa_fail(-EEXIST, why, ELISA_WHY_NAME_TAKEN, value, 0);
	} else {
		hash_del(&p->hash);
		memcpy(p->ticket, ticket, ELISA_TICKET_SIZE);
		if (set)
			hash_add(by_place, &p->hash, hash_of_ticket(ticket));
	}
	spin_unlock(&elisa_registry);
	return r;
}
