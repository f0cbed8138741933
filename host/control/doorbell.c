// SPDX-License-Identifier: GPL-2.0-only
/*
 * The request about doorbells: which of a VM's interrupts is its bell (path/bell.c). A VM without a
 * grant gets none; the end of its grants leaves the bell that it has.
 */
#include <linux/kvm_host.h>

#include "base/base.h"
#include "control/control.h"
#include "path/path.h"

static bool going; /* eh_registry */

static int check_doorbell(struct eh_vm *vm, struct elisa_hc_doorbell *in,
			  struct eh_refusal *refusal)
{
	if (in->pad)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_FIELD, in->pad);
	if (in->gsi != ELISA_NO_DOORBELL && in->gsi > ELISA_MAX_GSI)
		return eh_refuse(refusal, -EINVAL, ELISA_WHY_DOORBELL, in->gsi);
	if (in->gsi != ELISA_NO_DOORBELL && !eh_grant_rights(vm->mm))
		return eh_refuse(refusal, -EPERM, ELISA_WHY_NO_GRANT, 0);
	return 0;
}

/* True: it is another one than before. */
static bool change_gsi(struct eh_bell *bell, u32 gsi)
{
	bool is_new;

	spin_lock(&eh_registry);
	is_new = !going && eh_bell_set(bell, gsi);
	spin_unlock(&eh_registry);
	return is_new;
}

/* Sets the interrupt that is this VM's doorbell, or ELISA_NO_DOORBELL. In a vCPU's thread. */
int eh_doorbell_set(struct eh_vm *vm, struct elisa_hc_doorbell *in, struct eh_refusal *refusal)
{
	int r = check_doorbell(vm, in, refusal);

	if (r)
		return r;
	if (in->gsi == ELISA_NO_DOORBELL)
		eh_bell_silence(vm->bell);
	else if (change_gsi(vm->bell, in->gsi))
		/* the first ring is for its driver to see that it works */
		eh_bell_ring(vm->bell);
	return 0;
}

/*
 * Nothing is attached or exported. The hooks are still in place, else a VM could end unseen while
 * the work rings it; so a VM may still tell its doorbell if the module did not come up. One that
 * goes answers no hypercalls.
 */
void eh_doorbells_stop(void)
{
	struct eh_vm *vm = NULL;

	spin_lock(&eh_registry);
	going = true;
	spin_unlock(&eh_registry);
	while ((vm = eh_vm_next(vm)))
		eh_bell_silence(vm->bell);
	eh_bells_flush();
}
