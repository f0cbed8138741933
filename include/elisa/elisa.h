/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libelisa: export objects to other VMs, attach to theirs, call into them without an exit.
 * Nothing in the library may exit, print or assert; docs/library.md is the reference.
 *
 * Conventions. A function that returns int gives 0 (or a count) or -errno; elisa_error() then has
 * the full text. Offsets are bytes in the object area, which every attachment sees at
 * ELISA_OBJECT_BASE. Several threads may use a handle, its exports and its attachments at once.
 * Only the functions that end one of them (elisa_close, elisa_export_destroy, elisa_detach) must
 * not run beside another use of the same object. These objects belong to the process that made
 * them: a child of fork() must not use them.
 */
#ifndef ELISA_ELISA_H
#define ELISA_ELISA_H

#include <stddef.h>
#include <stdint.h>
#include <elisa/abi.h>
#include <elisa/call.h>
#include <elisa/guest_ioctl.h>

#if !defined(__x86_64__) || defined(__ILP32__)
#error "ELISA calls exist in 64-bit x86 code only"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_DEVICE "/dev/elisa"

struct elisa;	     /* an open device */
struct elisa_export; /* an object that this process offers */

/* ----------------------------------------------------------------------------- device */

/*
 * Open the guest driver's device and agree on the ABI.
 * path: the device, or NULL for ELISA_DEVICE. *handle: out, NULL on failure.
 * Errors: -ENOENT, -ENODEV (no driver), -EACCES (permissions), -EPROTO or -EPROTONOSUPPORT (ABI),
 * -ENXIO (no host module), -ENOMEM. elisa_error(NULL) has the text of this thread's failure.
 */
int elisa_open(const char *path, struct elisa **handle);

/*
 * Close the device. NULL is allowed.
 * Errors: -EBUSY while an export or attachment of this handle exists; the handle stays open.
 */
int elisa_close(struct elisa *handle);

/* What the host grants to this VM: ELISA_HELLO_* as elisa_open() found it. */
uint32_t elisa_rights(const struct elisa *handle);

/*
 * Count the VM exits of the vCPU that this thread happens to run on, for benchmarks. exits: since
 * the vCPU was set up for an attachment, by basic exit reason (SDM vol. 3 appendix C).
 * return_traps: of the exits by VMFUNC, those at the end of a call during which an interrupt had to
 * wait. Each query is itself one exit by VMCALL, which is counted.
 */
int elisa_vcpu_exits(struct elisa *handle, uint64_t exits[ELISA_EXIT_REASONS],
		     uint64_t *return_traps);

/* The descriptor, for poll(2): readable when elisa_events_read() has something to give. */
int elisa_fd(const struct elisa *handle);

/*
 * Signal an eventfd(2) whenever this VM's doorbell rings. It rings when the code of an export rings
 * a place that this VM has, when an attachment is revoked, or when an event comes. The signal does
 * not say which: look, and be prepared to find nothing. The eventfd stays registered until
 * elisa_close(). A handle can have 256 of them, a VM 1024.
 * Errors: -EOPNOTSUPP (this VM has no doorbell), -EBADF (no eventfd), -EDQUOT, -ENOMEM.
 */
int elisa_doorbell(struct elisa *handle, int eventfd);

/*
 * The last failure on this handle: what was being done, what was wrong with which value, and what
 * to do about it. With NULL: the last failure in this thread that had no handle (elisa_open). Never
 * NULL; "no error" if nothing failed. Thread-safe: the text is a copy that lasts until the calling
 * thread calls elisa_error() again; threads that share a handle see each other's failures.
 */
const char *elisa_error(struct elisa *handle);

/* The reason alone: enum elisa_why of the last failure, and its value if value is not NULL. */
uint32_t elisa_error_why(struct elisa *handle, uint64_t *value);

/* ---------------------------------------------------------------------------- exports */

/*
 * Create an export that VMs can attach to by its name once it is published.
 * name: [A-Za-z0-9._-], 1 to ELISA_NAME_SIZE - 1 characters, granted by the host's administrator.
 * flags: ELISA_EXPORT_GENERAL_REGS, _POISON, _FAULTS, _COUNTED. limit_us: run time in microseconds
 * that one call may use, 0 for the host's default. *made: out.
 * Errors: -EINVAL (arguments), -EPERM (no grant), -EEXIST (name), -EDQUOT (quota), -ENOMEM.
 */
int elisa_export_create(struct elisa *handle, const char *name, uint32_t flags, uint32_t limit_us,
			struct elisa_export **made);

/*
 * Limit the suspension of calls, for exports that this handle creates from now on. A call is
 * suspended while its VMM or the host does not run its vCPU. After suspend_us microseconds of wall
 * clock, the call ends with ELISA_CALL_TIMEOUT. The manager then gets ELISA_EVENT_ABORT at once, so
 * that it can release what the call had locked. 0: the host's default (module parameter suspend_us,
 * 50 ms). Above the host's maximum (max_suspend_us), creating an export fails with -EDQUOT. Not
 * thread-safe with creating.
 */
void elisa_set_suspend_limit(struct elisa *handle, uint32_t suspend_us);

/*
 * Create an export that VMs reach by its ticket only. The library draws the ticket from
 * getrandom(2) into ticket (out, ELISA_TICKET_SIZE bytes). Hand it to the VM that is to attach. The
 * rest is as for elisa_export_create().
 */
int elisa_export_create_private(struct elisa *handle, const char *name, uint32_t flags,
				uint32_t limit_us, uint8_t ticket[ELISA_TICKET_SIZE],
				struct elisa_export **made);

/*
 * Put memory of this process into the export. The pages are pinned and shared, not copied: later
 * writes by either side are seen by the other. offset: where, address: from where, length: how
 * much, all in bytes, multiples of ELISA_PAGE_SIZE. prot: ELISA_PROT_READ, READ | WRITE or READ |
 * EXEC. The memory must be anonymous, shmem or hugetlb. It must be writable in this process,
 * whatever prot says, because it is pinned for writing. It should stay mapped here until it is
 * unmapped from the export. Huge pages at offsets that are multiples of their size are mapped as
 * huge pages if the host has them, too. Code never is.
 * Errors: -EINVAL (alignment, range, prot), -EEXIST (overlap), -EFAULT (no writable memory there),
 * -EDQUOT (the grant's pages are used up), -EINTR, -ENOMEM (memory, or ulimit -l).
 */
int elisa_export_map(struct elisa_export *export_, uint64_t offset, const void *address,
		     size_t length, uint32_t prot);

/*
 * Map guest-physical memory that is not the VM kernel's, as elisa_export_map() maps a process's. It
 * is memory behind a PCI BAR, as QEMU's ivshmem-plain gives it. Needs CAP_SYS_RAWIO. The host must
 * have ordinary memory there. The device must keep its address until the memory is unmapped from
 * the export.
 * Errors: also -EPERM (no CAP_SYS_RAWIO), -EINVAL (the kernel's own RAM), -EFAULT (no memory).
 */
int elisa_export_map_physical(struct elisa_export *export_, uint64_t offset, uint64_t address,
			      size_t length, uint32_t prot);

/*
 * Take pages out again, from running attachments too; offset and length in bytes as in
 * elisa_export_map(), of which it may be a part. On return no call can reach them.
 * Errors: -EINVAL, -ENOENT, -ENOMEM (to split a huge page), -EINTR.
 */
int elisa_export_unmap(struct elisa_export *export_, uint64_t offset, size_t length);

/*
 * Let others attach. entry: offset of the entry function, inside an executable mapping. Publishing
 * again with the same entry lifts the state after an abort of an ELISA_EXPORT_POISON export.
 * Errors: -EINVAL (entry), -EBUSY (published already), -ENOENT (the export is gone), -EINTR.
 */
int elisa_export_publish(struct elisa_export *export_, uint64_t entry);

/*
 * Make room in the object area for memory that attachments donate (elisa_donate()). count: the
 * number of places, 1 to ELISA_MAX_PLACES, which lie one behind the other from offset on. size:
 * bytes of each. offset and size are multiples of ELISA_PAGE_SIZE. Each attachment made from then
 * on takes a place until it ends. Attaching fails when no place is free. It also fails when the VMs
 * of its VMM have per_vmm places that no ticket keeps (elisa_export_place_ticket(); 0: no limit).
 * Call it once for an export. The function learns its caller's place from struct elisa_self, the
 * manager from the value of ELISA_EVENT_ATTACH. Errors: -EINVAL (range), -EEXIST (something is
 * mapped there), -EBUSY (made already), -ENOENT, -ENOMEM, -EINTR.
 */
int elisa_export_places(struct elisa_export *export_, uint64_t offset, uint32_t count, size_t size,
			uint32_t per_vmm);

/*
 * Keep a place for an attachment by this ticket (ELISA_TICKET_SIZE random bytes, from getrandom(2);
 * they may be kept for the next time). An attachment that has the place keeps it. ticket NULL: the
 * place is for all again. Errors: -EINVAL (no such place, all bytes are 0), -EEXIST (another place
 * or export has this ticket), -ENOENT, -EINTR.
 */
int elisa_export_place_ticket(struct elisa_export *export_, uint32_t place,
			      const uint8_t ticket[ELISA_TICKET_SIZE]);

/*
 * End one attachment of the export; attachment is its number, as in events. Its calls end with
 * ELISA_CALL_REVOKED, what it donated is taken out, its place is free; other attachments do not
 * notice. The guest may attach again if grant and ticket let it. Thread-safe.
 * Errors: -ENOENT (no such attachment, or the export is gone), -EINTR.
 */
int elisa_evict(struct elisa_export *export_, uint64_t attachment);

/*
 * Give the function larger stacks than the host's, which have ELISA_STACK_PAGES pages. Each place
 * of the export gets a stack of size bytes for each of vcpus vCPUs, counted as in struct
 * elisa_self. Make the places first, because they limit the number of attachments. A call on a
 * further vCPU ends with ELISA_CALL_FAULT. The stacks take the object area from offset on: a page,
 * and for each stack 2 * size bytes, of which the lower half stays unmapped. The memory is this
 * process's and counts against its grant at once; attaching costs no more. A call costs 17
 * instructions more. Call it once, before elisa_export_publish(). size and offset are multiples of
 * ELISA_PAGE_SIZE.
 * Errors: -EINVAL (no places, range), -EBUSY (made already), -ENOMEM, those of elisa_export_map().
 * After a failure nothing is left in the export.
 */
#define ELISA_STACK_MAX_VCPUS 1024
int elisa_export_stacks(struct elisa_export *export_, uint64_t offset, size_t size, uint32_t vcpus);

/*
 * End the export: calls in it end with ELISA_CALL_REVOKED, its pages are released. An export that
 * is gone already is no error. On failure (-EINTR, ...) the object stays valid. NULL is allowed.
 */
int elisa_export_destroy(struct elisa_export *export_);

/* The handle that the export was created by. */
struct elisa *elisa_export_handle(const struct elisa_export *export_);
/* The name as it was given. It lasts until elisa_export_destroy(). */
const char *elisa_export_name(const struct elisa_export *export_);
uint32_t elisa_export_id(const struct elisa_export *export_);	 /* as in struct elisa_event */
uint32_t elisa_export_flags(const struct elisa_export *export_); /* as it was created */

/*
 * Take up to room waiting events of this process's exports, without blocking (poll elisa_fd()).
 * Returns how many were stored in events, 0 if none waits.
 * Errors: -EINVAL (no room), -EIO (the driver gave a part of a record), -EINTR.
 */
int elisa_events_read(struct elisa *handle, struct elisa_event *events, size_t room);

/*
 * Describe an event of type ELISA_EVENT_FAULT in words: what the function tried to do, and at which
 * instruction. The instruction is named by a symbol if elisa_extra_load() has loaded its object.
 * text: out, size bytes, cut at its end. Returns the length of the whole text, as snprintf(3).
 * Thread-safe.
 * Errors: -EINVAL (another event, NULL).
 */
int elisa_fault_text(struct elisa_export *export_, const struct elisa_event *event, char *text,
		     size_t size);

/* ------------------------------------------------------------------------ attachments */

/* `call` is the address of the stub; what follows it is the library's own. */
struct elisa_attachment {
	uint64_t call;
};

/*
 * Attach this process to a published export by its name. flags: 0 or ELISA_ATTACH_TRUST_MANAGER.
 * With the latter, the manager's code may change every register of the caller except RSP and RBP.
 * Use it only for managers that may as well run code in this process. exchange, length: a buffer of
 * this process that the function may read and write; NULL and 0 for none. It is page aligned;
 * length is in bytes, up to ELISA_EXCHANGE_MAX_PAGES pages. Both ends share the buffer at all
 * times: read a field once, then check it. It must stay mapped until elisa_detach(). *made: out.
 * Errors: -EINVAL (arguments), -EPERM (no grant), -ENOENT (no such export), -EAGAIN (not published
 * yet: try again), -EDQUOT (quota), -ENOMEM; others for the VM's or the host's state and for slots:
 * elisa_error_why() tells them apart, the text says what to do.
 */
int elisa_attach(struct elisa *handle, const char *name, uint32_t flags, void *exchange,
		 size_t length, struct elisa_attachment **made);

/* Attach to a private export by its ticket, else as elisa_attach(). All bytes 0 is no ticket:
 * -EINVAL. */
int elisa_attach_private(struct elisa *handle, const uint8_t ticket[ELISA_TICKET_SIZE],
			 uint32_t flags, void *exchange, size_t length,
			 struct elisa_attachment **made);

/*
 * End the attachment; the exchange buffer is private again when this returns 0. One that is gone
 * already is no error. On failure (-EINTR, ...) the object stays valid. NULL is allowed.
 */
int elisa_detach(struct elisa_attachment *attachment);

/*
 * Give memory of this process to the export. Until this attachment ends or is revoked, the code of
 * the export can read and write the memory in every attachment. It lies at this attachment's place,
 * behind all that was given before. What the code reads there afterwards does not belong to this
 * process. The kinds of memory are those of elisa_export_map(). address and length are multiples of
 * ELISA_PAGE_SIZE. donated, if not NULL: out, bytes in all. After a failure a part of it may have
 * been given: detach.
 * Errors: -EINVAL (arguments, memory, no place), -ENOSPC (more than the
 * place holds), -EDQUOT (grant),
 * -ENOENT (the attachment is gone), -EFAULT, -ENOMEM, -EINTR.
 */
int elisa_donate(struct elisa_attachment *attachment, void *address, size_t length,
		 uint64_t *donated);

/* The attachment's place, or ELISA_NO_PLACE. */
uint32_t elisa_attachment_place(const struct elisa_attachment *attachment);

/* The handle that this process attached by. */
struct elisa *elisa_attachment_handle(const struct elisa_attachment *attachment);
/* The VM's slot that the attachment has, from 0 to ELISA_SLOTS - 1. */
uint32_t elisa_attachment_slot(const struct elisa_attachment *attachment);
/* How calls travel: decided by the host's administrator, not by this process. */
enum elisa_mode elisa_attachment_mode(const struct elisa_attachment *attachment);
uint32_t elisa_attachment_flags(const struct elisa_attachment *attachment); /* ELISA_ATTACH_* */
uint32_t elisa_attachment_export_flags(const struct elisa_attachment *attachment);
/* Not 0 if elisa_call_general() may be used: trusted, and ELISA_EXPORT_GENERAL_REGS. */
int elisa_attachment_general(const struct elisa_attachment *attachment);
/* The exchange buffer, and its bytes. The function gets offsets in it, and
 * asks elisa_exchange(). */
void *elisa_attachment_exchange(const struct elisa_attachment *attachment);
size_t elisa_attachment_exchange_length(const struct elisa_attachment *attachment);

/* ------------------------------------------------------------------------------ calls */

/*
 * value: what the function returned. error: ELISA_CALL_OK, or enum elisa_call_error if the call did
 * not come to its end; value then is not the function's. Returned in RAX and RDX.
 */
struct elisa_result {
	long value;
	long error;
};

/* What an enum elisa_call_error means and what to do about it. Never NULL, static. */
const char *elisa_call_strerror(long error);

/*
 * Call the export's entry function with six integers. Pass no addresses: name data in the exchange
 * buffer by its offset there. Any thread of the process that attached may call, many at once. A
 * signal handler must not call if it may have interrupted a call on the same thread's stack below
 * the red zone. No call may follow elisa_detach(). Code for AVX-512 must be built as a whole file
 * (-mavx512f), not by a function attribute.
 */
static inline __attribute__((always_inline)) struct elisa_result
elisa_call(const struct elisa_attachment *attachment, long a0, long a1, long a2, long a3, long a4,
	   long a5)
{
	struct elisa_result result;
	long value = (long)attachment->call;
	long error = a2;

	ELISA_CALL_STUB(value, error, a0, a1, a3, a4, a5, ELISA_CALL_CLOBBERS,
			ELISA_CALL_VECTORS ELISA_CALL_WIDE_VECTORS);
	result.value = value;
	result.error = error;
	return result;
}

/*
 * Call like elisa_call(), and let the compiler keep vector and x87 registers live across the call.
 * Use it only where elisa_attachment_general() permits it: the export declares
 * ELISA_EXPORT_GENERAL_REGS, and this process attached with ELISA_ATTACH_TRUST_MANAGER. Nothing
 * stops the function of such an export from changing those registers. Without that trust, the stub
 * clears them.
 */
static inline __attribute__((always_inline)) struct elisa_result
elisa_call_general(const struct elisa_attachment *attachment, long a0, long a1, long a2, long a3,
		   long a4, long a5)
{
	struct elisa_result result;
	long value = (long)attachment->call;
	long error = a2;

	ELISA_CALL_STUB(value, error, a0, a1, a3, a4, a5, ELISA_CALL_CLOBBERS);
	result.value = value;
	result.error = error;
	return result;
}

/* elisa_call() as an ordinary C function, for other languages and for function pointers. */
struct elisa_result elisa_call_c(const struct elisa_attachment *attachment, long a0, long a1,
				 long a2, long a3, long a4, long a5);

#ifdef __cplusplus
}
#endif

#endif
