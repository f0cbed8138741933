// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory of exports: by number, by name, by ticket. All of it is under eh_registry. What is
 * looked for is hashed with a key that no VM knows, so that no VM can choose what shares a chain.
 * Chains stay short, for what one VMM may have is bounded: EH_EXPORTS_PER_VMM, EH_TICKETS_PER_VMM.
 *
 * An export enters once and leaves once, when it has ended for its guests. The thread that takes it
 * out is the one that lets its memory go.
 */
#include <linux/hashtable.h>
#include <linux/random.h>
#include <linux/siphash.h>

#include "base/base.h"
#include "control/control.h"
#include "kvm/kvm.h"
#include "path/path.h"
#include "tables/tables.h"

static u64 last_export; /* eh_registry, as all below */
static DEFINE_HASHTABLE(by_number, 12);
static DEFINE_HASHTABLE(by_name, 12);	/* public exports */
static DEFINE_HASHTABLE(by_ticket, 12); /* private exports */
static DEFINE_HASHTABLE(by_place, 16);	/* places that have a ticket */
static siphash_key_t key;		/* const after init */

void eh_directory_init(void)
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

static u32 hash_of_number(const struct eh_vm *vm, u32 id)
{
	return siphash_2u64((unsigned long)vm, id, &key);
}

bool eh_ticket_is_set(const u8 *ticket)
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

static struct eh_export *look_up_ticket(const u8 *ticket, u32 *place)
{
	u32 hash = hash_of_ticket(ticket);
	struct eh_export *export;
	struct eh_place *p;

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
 * Finds an export by ticket if one is given, else the public export of this name. *place: the place
 * that the ticket is for. Under eh_registry.
 */
struct eh_export *eh_export_look_up(const char *name, const u8 *ticket, u32 *place)
{
	struct eh_export *export;

	lockdep_assert_held(&eh_registry);
	*place = ELISA_NO_PLACE;
	if (eh_ticket_is_set(ticket))
		return look_up_ticket(ticket, place);
	hash_for_each_possible(by_name, export, hash, hash_of_name(name))
		if (!strcmp(export->name, name))
			return export;
	return NULL;
}

/* The same with a reference. */
struct eh_export *eh_export_find(const char *name, const u8 *ticket, u32 *place)
{
	struct eh_export *export;

	spin_lock(&eh_registry);
	export = eh_export_look_up(name, ticket, place);
	if (export)
		kref_get(&export->ref);
	spin_unlock(&eh_registry);
	return export;
}

/* The VM's export of this number. Under eh_registry. */
static struct eh_export *look_up_number(struct eh_vm *vm, u32 id)
{
	struct eh_export *export;

	hash_for_each_possible(by_number, export, number_hash, hash_of_number(vm, id))
		if (export->vm == vm && export->id == id)
			return export;
	return NULL;
}

/* The same with a reference, or NULL. */
struct eh_export *eh_export_of(struct eh_vm *vm, u32 id)
{
	struct eh_export *export;

	spin_lock(&eh_registry);
	export = look_up_number(vm, id);
	if (export)
		kref_get(&export->ref);
	spin_unlock(&eh_registry);
	return export;
}

/* The next export after @at in the list of @vm's exports, or of all. The list's head: there is
 * none. */
static struct list_head *following(struct eh_vm *vm, struct eh_export *at)
{
	if (vm)
		return at ? at->node.next : vm->exports.next;
	return at ? at->all.next : eh_exports.next;
}

static struct eh_export *entry_in(struct eh_vm *vm, struct list_head *at)
{
	if (vm)
		return at != &vm->exports ? list_entry(at, struct eh_export, node) : NULL;
	return at != &eh_exports ? list_entry(at, struct eh_export, all) : NULL;
}

/*
 * The next export of @vm, or of any VM, after @last, or the first (NULL), with a reference. Drops
 * @last's reference. If @last has left meanwhile, its number leads to the next one.
 */
struct eh_export *eh_export_next(struct eh_vm *vm, struct eh_export *last)
{
	struct eh_export *next;

	spin_lock(&eh_registry);
	next = entry_in(vm, following(vm, last && hash_hashed(&last->hash) ? last : NULL));
	while (next && last && next->sequence <= last->sequence)
		next = entry_in(vm, following(vm, next));
	if (next)
		kref_get(&next->ref);
	spin_unlock(&eh_registry);
	if (last)
		eh_export_put(last);
	return next;
}

/*
 * Picks a number. Numbers of exports wrap after 2^32, so it skips 0 and the numbers of the VM's
 * other exports.
 */
static void give_number(struct eh_export *export)
{
	do {
		export->sequence = ++last_export;
		export->id = (u32) export->sequence;
	} while (!export->id || look_up_number(export->vm, export->id));
}

/* Under eh_registry: may the export enter? */
static int check_entry(struct eh_export *export, struct eh_refusal *refusal)
{
	struct eh_vmm *vmm = export->vm->vmm;
	u32 place;

	if (!eh_grant_holds(vmm, export->terms.grant_id))
		return eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	if (vmm->export_count >= EH_EXPORTS_PER_VMM)
		return eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, EH_EXPORTS_PER_VMM);
	if (eh_export_look_up(export->name, export->ticket, &place))
		return eh_refuse(refusal, -EEXIST, ELISA_WHY_NAME_TAKEN, 0);
	return 0;
}

static void tell(enum elisa_host_event_kind kind, const struct eh_export *export)
{
	struct elisa_host_event event = {.kind = kind,
					 .pid = export->vm->pid,
					 .vm = export->vm->id,
					 .grant = export->terms.grant_id,
					 .export_id = export->id};

	if (!eh_stream_wants(kind))
		return;
	memcpy(event.name, export->name, ELISA_NAME_SIZE);
	eh_stream_tell(event);
}

/* Gives the export its number, if its name or ticket is free. The directory then holds a
 * reference. */
int eh_export_enter(struct eh_export *export, struct eh_refusal *refusal)
{
	int r;

	spin_lock(&eh_registry);
	r = check_entry(export, refusal);
	if (!r) {
		kref_get(&export->ref);
		give_number(export);
		hash_add(by_number, &export->number_hash, hash_of_number(export->vm, export->id));
		export->vm->vmm->export_count++;
		list_add_tail(&export->node, &export->vm->exports);
		list_add_tail(&export->all, &eh_exports);
		if (export->flags & ELISA_EXPORT_PRIVATE)
			hash_add(by_ticket, &export->hash, hash_of_ticket(export->ticket));
		else
			hash_add(by_name, &export->hash, hash_of_name(export->name));
		tell(ELISA_HOST_EVENT_EXPORTED, export);
	}
	spin_unlock(&eh_registry);
	return r;
}

/* The place has no ticket any more. Under eh_registry. */
static void take_ticket(struct eh_place *place)
{
	if (!hash_hashed(&place->hash))
		return;
	hash_del(&place->hash);
	place->export->vm->vmm->ticket_count--;
}

/* Takes an export out. True: it was in the directory. The caller gets its reference, and releases
 * its memory. */
bool eh_export_leave(struct eh_export *export)
{
	bool was_there;
	u32 i;

	spin_lock(&eh_registry);
	was_there = hash_hashed(&export->hash);
	if (was_there) {
		hash_del(&export->hash);
		hash_del(&export->number_hash);
		list_del(&export->node);
		list_del(&export->all);
		export->vm->vmm->export_count--;
		for (i = 0; i < export->place_count; i++)
			take_ticket(&export->places[i]);
		tell(ELISA_HOST_EVENT_UNEXPORTED, export);
	}
	spin_unlock(&eh_registry);
	return was_there;
}

/* From now on @place has this ticket and no other. All 0: none. */
int eh_place_set_ticket(struct eh_export *export, u32 place, const u8 *ticket,
			struct eh_refusal *refusal)
{
	struct eh_vmm *vmm = export->vm->vmm;
	struct eh_place *p = &export->places[place];
	bool set = eh_ticket_is_set(ticket);
	int r = 0;
	u32 other;

	spin_lock(&eh_registry);
	if (!hash_hashed(&export->hash)) {
		r = eh_refuse(refusal, -ENOENT, ELISA_WHY_NO_EXPORT, export->id);
	} else if (set && look_up_ticket(ticket, &other)) {
		r = eh_refuse(refusal, -EEXIST, ELISA_WHY_NAME_TAKEN, 0);
	} else if (set && !hash_hashed(&p->hash) && vmm->ticket_count >= EH_TICKETS_PER_VMM) {
		r = eh_refuse(refusal, -EDQUOT, ELISA_WHY_QUOTA, EH_TICKETS_PER_VMM);
	} else {
		take_ticket(p);
		memcpy(p->ticket, ticket, ELISA_TICKET_SIZE);
		if (set) {
			hash_add(by_place, &p->hash, hash_of_ticket(ticket));
			vmm->ticket_count++;
		}
	}
	spin_unlock(&eh_registry);
	return r;
}
