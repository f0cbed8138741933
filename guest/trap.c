// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thread that calls into a slot without an attachment gets #UD at the stub's VMFUNC. The call
 * fails like any other, without SIGILL. If the manager's code leaves its context by a VMFUNC of its
 * own, the thread gets #BP in a stub page. The driver must take no other trap.
 */
#include <linux/kdebug.h>
#include <linux/ptrace.h>
#include <linux/sched/signal.h>
#include <asm/trapnr.h>

#include "guest.h"

#define VMFUNC_SIZE 3

/*
 * INT3 fills the stub pages, which no process can write: only a manager's code that jumped to a
 * VMFUNC gets to one, with a stack and registers of its choice. No signal handler may run on
 * them (window_fault() is for the other pages).
 */
static int breakpoint(struct pt_regs *regs)
{
	if (regs->ip - ELISA_WINDOW_BASE >= ELISA_WINDOW_SIZE ||
	    !eg_process_has_window(current->mm))
		return NOTIFY_DONE;
	send_sig(SIGKILL, current, 1);
	return NOTIFY_STOP;
}

static int trap(struct notifier_block *block, unsigned long event, void *data)
{
	struct die_args *args = data;
	struct pt_regs *regs = args->regs;
	u64 offset;
	u32 slot, entry;

	if (!user_64bit_mode(regs))
		return NOTIFY_DONE;
	if (event == DIE_INT3)
		return breakpoint(regs);
	if (event != DIE_TRAP || args->trapnr != X86_TRAP_UD)
		return NOTIFY_DONE;
	offset = regs->ip - ELISA_WINDOW_BASE;
	if (offset >= ELISA_SLOTS * ELISA_SLOT_SIZE)
		return NOTIFY_DONE;
	slot = offset / ELISA_SLOT_SIZE;
	if (!eg_process_stub_entry(current->mm, slot, &entry) ||
	    offset % ELISA_SLOT_SIZE != ELISA_CODE_OFFSET + entry - VMFUNC_SIZE)
		return NOTIFY_DONE;
	regs->ip = ELISA_WINDOW_BASE + slot * ELISA_SLOT_SIZE + ELISA_CODE_OFFSET +
		   ELISA_ERROR_RETURN(slot);
	regs->ax = 0;
	regs->dx = (long)ELISA_CALL_NOT_ATTACHED;
	return NOTIFY_STOP;
}

/* Before uprobes, which take every INT3 of a process that has one. */
static struct notifier_block trap_block = {
	.notifier_call = trap,
	.priority = INT_MAX,
};

int eg_trap_init(void)
{
	return register_die_notifier(&trap_block);
}

void eg_trap_exit(void)
{
	unregister_die_notifier(&trap_block);
}
