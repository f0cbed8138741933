// SPDX-License-Identifier: GPL-2.0-only
/*
 * The EPTP list of a vCPU: which of its contexts VMFUNC may enter. Code that can write it owns the
 * host, so its page is mapped nowhere but in the gate contexts (and by the administrator's choice
 * in trusted sub contexts).
 */
#include "path/switch.h"

u64 eh_code_address(struct eh_context *c)
{
	return ELISA_WINDOW_BASE + c->attachment->slot * ELISA_SLOT_SIZE + ELISA_CODE_OFFSET;
}

/*
 * The address in CR3 alone says whose tables are in use. PCID and the LAM bits (61, 62) do not
 * matter: LAM takes tag bits off the addresses of user data, never off RIP or a table's base (SDM
 * vol. 3, "Linear-Address Masking"), so a tagged address is one more name of what sub may access.
 */
bool eh_page_root_is(struct eh_context *c, u64 cr3)
{
	return (cr3 & PHYSICAL_PAGE_MASK) == c->attachment->root;
}

/* Finds this vCPU's context with an EPTP. Returns NULL if the EPTP is KVM's. */
struct eh_context *eh_context_of(struct eh_vcpu *vcpu, u64 eptp, enum eh_where *where)
{
	int slot, i;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS)
		for (i = 0; i < EH_ROOTS; i++)
			if (vcpu->slots[slot]->eptp[i] == eptp) {
				*where = i;
				return vcpu->slots[slot];
			}
	return NULL;
}

/* Returns the levels of page tables that a vCPU's contexts are made for, or 0 if they differ. */
u32 eh_levels_of_contexts(const struct eh_vcpu *vcpu)
{
	u32 levels = 0, more;
	int slot;

	for_each_set_bit(slot, vcpu->used, ELISA_SLOTS) {
		more = vcpu->slots[slot]->attachment->levels;
		if (levels && more != levels)
			return 0;
		levels = more;
	}
	return levels;
}

bool eh_is_poisoned(struct eh_context *c)
{
	return (c->attachment->export_flags & ELISA_EXPORT_POISON) && !c->revoked &&
	       READ_ONCE(c->attachment->export->poisoned);
}

/*
 * Writes the whole EPTP list as it has to be while default runs. All invalid entries keep bit 0
 * clear, so that the page is useless as a page table. Under vcpu->lock, and never while the vCPU
 * runs. The gate's byte-wide read-modify-write could otherwise turn an entry that was just cleared
 * into a valid one for physical page 0.
 */
void eh_list_reset(struct eh_vcpu *vcpu)
{
	u64 *list = vcpu->list;
	struct eh_context *c;
	int slot;
	bool open;

	if (!list)
		return;
	vcpu->stale = false;
	WRITE_ONCE(list[0], vcpu->trap ? vcpu->default_eptp & ~INVALID_BITS : vcpu->default_eptp);
	for (slot = 0; slot < ELISA_SLOTS; slot++) {
		c = vcpu->slots[slot];
		open = c && !c->revoked && !eh_is_poisoned(c);
		WRITE_ONCE(list[ELISA_INDEX_GATE_IN(slot)], open ? c->eptp[EH_IN_GATE_IN] : 0);
		WRITE_ONCE(list[ELISA_INDEX_GATE_OUT(slot)], open ? c->eptp[EH_IN_GATE_OUT] : 0);
		WRITE_ONCE(list[ELISA_INDEX_SUB(slot)],
			   open ? c->eptp[EH_IN_SUB] & ~INVALID_BITS : 0);
	}
}

/*
 * After a reset of the list, restores the entries that the present call in @c needs. A poisoned
 * export has no entries there, but the call continues. @in and @sub: as the gate has left them,
 * armed or not. The gate arms an entry by writing its first byte, so each entry must have its
 * address. The gate also arms gate-in when the call returns. A poisoned export takes no further
 * call. So the return exits, and the host writes the list again.
 */
void eh_list_keep(struct eh_vcpu *vcpu, struct eh_context *c, u64 in, u64 sub)
{
	u32 slot = c->attachment->slot;

	WRITE_ONCE(vcpu->list[ELISA_INDEX_GATE_IN(slot)], in);
	WRITE_ONCE(vcpu->list[ELISA_INDEX_GATE_OUT(slot)], c->eptp[EH_IN_GATE_OUT]);
	WRITE_ONCE(vcpu->list[ELISA_INDEX_SUB(slot)], sub);
	if (eh_is_poisoned(c))
		eh_trap_return(vcpu);
}

void eh_set_default(struct eh_vcpu *vcpu, u64 eptp)
{
	if (eptp != vcpu->default_eptp) {
		vcpu->default_eptp = eptp;
		eh_count(ELISA_COUNT_ROOT_RELOADS);
	}
	WRITE_ONCE(vcpu->list[0], vcpu->trap ? eptp & ~INVALID_BITS : eptp);
}

/* Sets the return trap: the call's return will exit, and interrupts wait for it. Under
 * vcpu->lock. */
void eh_trap_return(struct eh_vcpu *vcpu)
{
	vcpu->trap = true;
	eh_set_default(vcpu, vcpu->default_eptp);
}
