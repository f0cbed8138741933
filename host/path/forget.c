// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vCPU's own part of a flush: before an entry its CPU forgets the tables that were changed.
 * Why that is enough is at the head of control/flush.c.
 */
#include <linux/bitmap.h>
#include <linux/smp.h>

#include "kvm/kvm.h"
#include "path/switch.h"

/*
 * More contexts than these go by one INVEPT of all. These take 24, with IRQs off: what others lose
 * is worth that much, and not 192. The number has not been measured on a processor.
 */
#define FORGET_SINGLY 8

/* Before an entry, under vcpu->lock, IRQs off. */
void eh_forget(struct eh_vcpu *vcpu)
{
	int cpu = raw_smp_processor_id(), slot, i;

	if (vcpu->cpu == cpu && bitmap_empty(vcpu->forget, ELISA_SLOTS))
		return;
	if (vcpu->cpu != cpu || !eh_invept_context ||
	    bitmap_weight(vcpu->forget, ELISA_SLOTS) > FORGET_SINGLY)
		invept_all();
	else
		for_each_set_bit(slot, vcpu->forget, ELISA_SLOTS)
			for (i = 0; i < EH_ROOTS; i++)
				invept_context(vcpu->slots[slot]->eptp[i]);
	vcpu->cpu = cpu;
	bitmap_zero(vcpu->forget, ELISA_SLOTS);
}
