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
 *   setup_lock            (in doorbell.c) which interrupt is the doorbell; nothing nests inside it
 *   elisa_events_lock     the open files and the exports by id
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
#define pr_fmt(fmt)	  "elisa-guest: " fmt

#define ELISA_FILE_EVENTS 128
#define ELISA_FILE_ABORTS 4096 /* beyond these: a last one for each of so many callers */
#define ELISA_FILE_BELLS  256
#define ELISA_ALL_BELLS	  1024 /* an interrupt signals them all */

/* An open /dev/elisa. Owner: the kernel's struct file; freed by its release. */
struct elisa_file {
	struct list_head node;	       /* elisa_events_lock */
	struct mm_struct *mm;	       /* of its first user; set once (cmpxchg), grabbed */
	struct elisa_process *process; /* set once, at the first ATTACH; a notifier reference */
	struct mutex lock;	       /* exports and all that hangs on them */
	struct list_head exports;
	wait_queue_head_t wait;
	atomic_t readers;      /* in a blocking read */
	spinlock_t queue_lock; /* the three below */
	struct list_head events;
	u32 count;
	u64 lost;
	u32 bells; /* eventfds to signal; bells_lock */
};

struct elisa_export {
	struct list_head node; /* in file->exports; file->lock */
	struct list_head runs; /* file->lock */
	struct elisa_file *file;
	u32 id;
	bool stale; /* elisa_events_lock: the host forgot it and used its id again */
};

/* Pages of the manager in an export, pinned: as many as go into one hypercall. */
struct elisa_run {
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
struct elisa_process {
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
struct elisa_donation {
	struct list_head node; /* in attachment->donations; process->lock */
	u32 count;
	struct page *pages[];
};

struct elisa_attachment {
	struct list_head node; /* in process->attachments; process->lock, as all below */
	struct elisa_file *file;
	struct list_head donations;
	u32 slot;
	u32 count; /* pages of the exchange buffer */
	struct page *pages[];
};

/* Says what was wrong and returns the errno: the one way to fail. */
static inline int elisa_fail(struct elisa_status *status, enum elisa_why why, u64 value, int error)
{
	status->why = why;
	status->value = value;
	return error;
}

/* ---- hypercall.c */
int elisa_hypercall_init(void);
void elisa_hypercall_exit(void);
struct elisa_hc_page *elisa_page_get(enum elisa_hc call);
void elisa_page_put(struct elisa_hc_page *page);
int elisa_hypercall(struct elisa_hc_page *page, struct elisa_status *status);

/* ---- vcpu.c */
int elisa_vcpus_init(void);
void elisa_vcpus_exit(void);
int elisa_vcpus_sync(struct elisa_status *status);
void elisa_vcpus_release(void);

/* ---- pin.c */
int elisa_pin(struct mm_struct *mm, u64 address, u32 count, struct page **pages,
	      struct elisa_status *status);
void elisa_unpin(struct mm_struct *mm, struct page **pages, u32 count);

/* ---- export.c */
int elisa_export_create(struct elisa_file *file, struct elisa_ioc_export *arg);
int elisa_export_map(struct elisa_file *file, struct elisa_ioc_map *arg);
int elisa_export_map_physical(struct elisa_file *file, struct elisa_ioc_map *arg);
int elisa_export_unmap(struct elisa_file *file, struct elisa_ioc_unmap *arg);
int elisa_export_publish(struct elisa_file *file, struct elisa_ioc_publish *arg);
int elisa_export_destroy(struct elisa_file *file, struct elisa_ioc_destroy *arg);
int elisa_export_places(struct elisa_file *file, struct elisa_ioc_places *arg);
int elisa_export_ticket(struct elisa_file *file, struct elisa_ioc_ticket *arg);
int elisa_export_evict(struct elisa_file *file, struct elisa_ioc_evict *arg);
void elisa_exports_release(struct elisa_file *file);

/* ---- process.c */
struct elisa_process *elisa_process_get(struct mm_struct *mm);
void elisa_process_put(struct elisa_process *process);
void elisa_processes_exit(void);
bool elisa_process_stub_entry(struct mm_struct *mm, u32 slot, u32 *entry);
bool elisa_process_has_window(struct mm_struct *mm);

/* ---- attach.c */
int elisa_attach(struct elisa_file *file, struct elisa_ioc_attach *arg);
int elisa_detach(struct elisa_file *file, struct elisa_ioc_detach *arg);
int elisa_donate(struct elisa_file *file, struct elisa_ioc_donate *arg);
void elisa_detach_all(struct elisa_process *process, struct elisa_file *file);

/* ---- window.c */
int elisa_window_open(struct elisa_process *process, struct elisa_status *status);
void elisa_window_set_stub(struct elisa_process *process, u32 slot, void *stub, u32 entry);

/* ---- trap.c */
int elisa_trap_init(void);
void elisa_trap_exit(void);

/* ---- events.c */
extern struct mutex elisa_events_lock;
void elisa_events_exit(void);
void elisa_events_open(struct elisa_file *file);
void elisa_events_release(struct elisa_file *file);
int elisa_events_add_export(struct elisa_export *export);
bool elisa_events_remove_export(struct elisa_export *export);
ssize_t elisa_events_read(struct file *filp, char __user *buffer, size_t size, loff_t *pos);
__poll_t elisa_events_poll(struct file *filp, poll_table *wait);
void elisa_events_rang(void);

/* ---- doorbell.c */
void elisa_doorbell_init(void);
void elisa_doorbell_exit(void);
bool elisa_doorbell_works(void);
void elisa_doorbell_renew(void);
int elisa_doorbell_add(struct elisa_file *file, struct elisa_ioc_doorbell *arg);
void elisa_doorbell_release(struct elisa_file *file);

#endif
