/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest driver's data: what owns it, which lock protects which field, and the few
 * functions that the files call of each other. Nothing here may be reachable from an
 * address that user space chose.
 *
 * Locks, outermost first:
 *   file->lock            the exports of one open file
 *   process->attach_lock  one ATTACH at a time in a process
 *   mm->mmap_lock         (the kernel's)
 *   process->lock         a process's attachments and stub pages; a vm_ops callback may
 *                         take it, so nothing that takes mmap_lock runs under it
 *   slots_lock            (in attach.c) which attachment has a slot
 *   setup_lock            (in doorbell.c) which interrupt is the doorbell; nothing nests inside it
 *   eg_events_lock     the open files and the exports by id
 *   file->queue_lock      (spin) the events that a file has not read yet
 *   bells_lock            (spin, IRQs off; in doorbell.c) the eventfds to be signalled
 */
#ifndef ELISA_GUEST_H
#define ELISA_GUEST_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>

#include <elisa/abi.h>
#include <elisa/gate_layout.h>
#include <elisa/guest_ioctl.h>

#include "compat.h"

#undef pr_fmt
#define pr_fmt(fmt)    "elisa-guest: " fmt

#define EG_FILE_EVENTS 128
#define EG_FILE_ABORTS 4096 /* beyond these: a last one for each of so many callers */
#define EG_FILE_BELLS  256
#define EG_ALL_BELLS   1024 /* an interrupt signals them all */

/* An open /dev/elisa. Owner: the kernel's struct file; freed by its release. */
struct eg_file {
	struct list_head node;	    /* eg_events_lock */
	struct mm_struct *mm;	    /* of its first user; set once (cmpxchg), grabbed */
	struct eg_process *process; /* set once, at the first ATTACH; a notifier reference */
	struct mutex lock;	    /* exports and all that hangs on them */
	struct list_head exports;
	wait_queue_head_t wait;
	atomic_t readers;      /* in a blocking read */
	spinlock_t queue_lock; /* the three below */
	struct list_head events;
	u32 count;
	u64 lost;
	u32 bells; /* eventfds to signal; bells_lock */
};

struct eg_export {
	struct list_head node; /* in file->exports; file->lock */
	struct list_head runs; /* file->lock */
	struct eg_file *file;
	u32 id;
	bool stale; /* eg_events_lock: the host forgot it and used its id again */
};

/* Pages of the manager in an export, pinned: a chunk, see order.c. */
struct eg_run {
	struct list_head node; /* in export->runs; file->lock as all below */
	u64 offset;
	u32 count, live;      /* pages; those not unmapped yet */
	struct page *pages[]; /* NULL: unmapped */
};

/*
 * A process that attached. Owner: the mmu notifier, whose references the open files and
 * the window's mapping hold. Its attachments end when the mm dies, when the window is
 * unmapped, when their file is closed or by DETACH, whichever is first.
 */
struct eg_process {
	struct mmu_notifier notifier;
	struct mm_struct *mm;  /* const; the notifier holds it */
	struct list_head node; /* RCU; written under a spinlock of process.c */
	struct rcu_head rcu;
	struct mutex attach_lock;
	struct mutex lock; /* all below */
	struct list_head attachments;
	struct vm_area_struct *window; /* NULL: not mapped. Written with mmap_lock, too */
	void *stub[ELISA_SLOTS];       /* kept until the process is freed: the window maps them */
	u32 entry[ELISA_SLOTS];	       /* where the stub's VMFUNC ends; 0: none. Read by the trap */
};

/* Pages that a process donated, pinned: as many as go into one hypercall. */
struct eg_donation {
	struct list_head node; /* in attachment->donations; process->lock */
	u32 count;
	struct page *pages[];
};

struct eg_attachment {
	struct list_head node; /* in process->attachments; process->lock, as all below */
	struct eg_file *file;
	struct list_head donations;
	bool stale; /* slots_lock: the host forgot it and gave its slot again */
	u32 slot;
	u32 count; /* pages of the exchange buffer */
	struct page *pages[];
};

/* Refuses a request: what was wrong, and with which value. Returns @error: the one way to fail. */
static inline int eg_refuse(struct elisa_status *status, int error, enum elisa_why why, u64 value)
{
	status->why = why;
	status->value = value;
	return error;
}

/* ---- hypercall.c */
int eg_hypercall_init(void);
void eg_hypercall_exit(void);
struct elisa_hc_page *eg_page_get(enum elisa_hc call);
void eg_page_put(struct elisa_hc_page *page);
int eg_hypercall(struct elisa_hc_page *page, struct elisa_status *status);

/* ---- ask.c */
int eg_ask(struct elisa_hc_page *page, struct elisa_status *status, struct mutex *held);

/* ---- vcpu.c */
int eg_vcpus_init(void);
void eg_vcpus_exit(void);
int eg_vcpus_sync(struct elisa_status *status);
void eg_vcpus_release(void);

/* ---- pin.c */
int eg_pin(struct mm_struct *mm, u64 address, u32 count, struct page **pages,
	   struct elisa_status *status);
void eg_unpin(struct mm_struct *mm, struct page **pages, u32 count);

/* ---- export.c */
int eg_export_create(struct eg_file *file, struct elisa_ioc_export *arg);
int eg_export_map(struct eg_file *file, struct elisa_ioc_map *arg);
int eg_export_map_physical(struct eg_file *file, struct elisa_ioc_map *arg);
int eg_export_unmap(struct eg_file *file, struct elisa_ioc_unmap *arg);
int eg_export_publish(struct eg_file *file, struct elisa_ioc_publish *arg);
int eg_export_destroy(struct eg_file *file, struct elisa_ioc_destroy *arg);
int eg_export_places(struct eg_file *file, struct elisa_ioc_places *arg);
int eg_export_ticket(struct eg_file *file, struct elisa_ioc_ticket *arg);
int eg_export_evict(struct eg_file *file, struct elisa_ioc_evict *arg);
void eg_exports_release(struct eg_file *file);

/* ---- order.c: memory in pages as large as the host takes */
struct eg_range {
	struct page **pages; /* NULL: memory that this kernel does not manage */
	u64 address;	     /* ... from here on, guest-physical */
	u64 offset;	     /* of the object, as far as it is known */
	u64 count, done;     /* pages of 4 KiB; those that the host has */
	u32 largest, order;  /* the largest that may be; that may be now, ... */
	u64 small_until;     /* ... up to here */
	u32 fewer;	     /* so many in the next request; 0: as many as fit */
};

void eg_orders_set(u32 hello_flags);
u32 eg_range_next(struct eg_range *range, u64 *gpas, u32 max, u32 *order);
bool eg_range_shrink(struct eg_range *range, const u64 *gpas, u32 count, u32 order,
		     const struct elisa_status *status);
u32 eg_chunk(u64 address, u64 length);

/* ---- process.c */
struct eg_process *eg_process_get(struct mm_struct *mm);
void eg_process_put(struct eg_process *process);
void eg_processes_exit(void);
bool eg_process_stub_entry(struct mm_struct *mm, u32 slot, u32 *entry);
bool eg_process_has_window(struct mm_struct *mm);

/* ---- attach.c */
int eg_attach(struct eg_file *file, struct elisa_ioc_attach *arg);
int eg_detach(struct eg_file *file, struct elisa_ioc_detach *arg);
int eg_donate(struct eg_file *file, struct elisa_ioc_donate *arg);
void eg_detach_all(struct eg_process *process, struct eg_file *file);

/* ---- window.c */
int eg_window_open(struct eg_process *process, struct elisa_status *status);
void eg_window_set_stub(struct eg_process *process, u32 slot, void *stub, u32 entry);

/* ---- trap.c */
int eg_trap_init(void);
void eg_trap_exit(void);

/* ---- events.c */
extern struct mutex eg_events_lock;
void eg_events_exit(void);
void eg_events_open(struct eg_file *file);
void eg_events_release(struct eg_file *file);
int eg_events_add_export(struct eg_export *export);
bool eg_events_remove_export(struct eg_export *export);
ssize_t eg_events_read(struct file *filp, char __user *buffer, size_t size, loff_t *pos);
__poll_t eg_events_poll(struct file *filp, poll_table *wait);
void eg_events_rang(void);

/* ---- doorbell.c */
void eg_doorbell_init(void);
void eg_doorbell_exit(void);
bool eg_doorbell_works(void);
void eg_doorbell_renew(void);
int eg_doorbell_add(struct eg_file *file, struct elisa_ioc_doorbell *arg);
void eg_doorbell_release(struct eg_file *file);

#endif
