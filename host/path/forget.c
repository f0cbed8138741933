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
 * The most contexts that are flushed one by one. For more of them, one INVEPT flushes all contexts.
 * This many take 24 INVEPTs with IRQs off, and all slots would take 192. One INVEPT of all costs
 * other VMs their translations. The number has not been measured on a processor.
 */
#define FORGET_SINGLY 8

/*
 * Flushes the contexts in `forget`, or all contexts if the vCPU comes from another CPU. Before an
 * entry, under vcpu->lock, with IRQs off.
 */
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
