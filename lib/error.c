/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as text. A text names the action, the fault with its value, and the remedy. It must never
 * name an address of the host. Every enum elisa_why has a text of its own.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "internal.h"

enum value_form {
	NO_VALUE,
	DECIMAL,
	HEX
};

struct reason {
	const char *wrong;
	const char *todo;
	const char *value_name;
	enum value_form form;
};

static const struct reason reasons[ELISA_WHY_COUNT] = {
	[ELISA_WHY_ABI] = {"the host's module and this VM's driver or library speak different "
			   "versions of the ABI",
			   "install the same ELISA release on the host and in the VM",
			   "version of the other side", DECIMAL},
	[ELISA_WHY_CALL] = {"the host's module does not know this hypercall",
			    "update the module on the host", "hypercall", DECIMAL},
	[ELISA_WHY_FIELD] = {"an unknown flag or a reserved field is set",
			     "use the flags that <elisa/abi.h> lists for this call", "flags", HEX},
	[ELISA_WHY_NO_GRANT] = {"the host's administrator has not granted this to this VM",
				"on the host run: elisactl grant --pid VMM_PID export|attach NAME",
				NULL, NO_VALUE},
	[ELISA_WHY_NAME] = {"the name is malformed",
			    "use 1 to 63 characters out of A-Z, a-z, 0-9, '.', '_' and '-'",
			    "length", DECIMAL},
	[ELISA_WHY_NAME_TAKEN] = {"an export of this name exists already",
				  "choose another name, or end the other manager", NULL, NO_VALUE},
	[ELISA_WHY_NO_EXPORT] = {"there is no such export",
				 "check the name or ticket, and that its manager is running",
				 "export", DECIMAL},
	[ELISA_WHY_NOT_PUBLISHED] = {"the export is not published yet",
				     "wait until its manager has called elisa_export_publish()",
				     NULL, NO_VALUE},
	[ELISA_WHY_PUBLISHED] = {"the export is published already",
				 "destroy it and create it again to change its entry", NULL,
				 NO_VALUE},
	[ELISA_WHY_QUOTA] =
		{"the limit of this VM's grant or of the process's locked memory is reached",
		 "share less; or grant more on the host (elisactl grant --max-pages N) and "
		 "raise ulimit -l",
		 "limit", DECIMAL},
	[ELISA_WHY_NO_PAGES] = {"the length is 0", "give at least one page of 4096 bytes", NULL,
				NO_VALUE},
	[ELISA_WHY_RANGE] = {"an offset, address or length is not a multiple of 4096, or lies "
			     "outside of its area",
			     "align it to pages; the object area has 64 GiB, an exchange buffer "
			     "at most 256 pages",
			     "value", HEX},
	[ELISA_WHY_OVERLAP] = {"the export has a mapping there already",
			       "unmap it first or choose another offset", "offset", HEX},
	[ELISA_WHY_PROT] = {"the host does not accept this protection",
			    "use ELISA_PROT_READ alone, with ELISA_PROT_WRITE or with "
			    "ELISA_PROT_EXEC, never with both",
			    "prot", HEX},
	[ELISA_WHY_NOT_RAM] = {"a page of this memory is not RAM of this VM",
			       "share ordinary memory, not memory of a device",
			       "guest-physical address", HEX},
	[ELISA_WHY_READ_ONLY] = {"the VMM gave this VM a page of this memory read-only",
				 "share memory from elsewhere; the host needs it writable",
				 "guest-physical address", HEX},
	[ELISA_WHY_FILE_BACKED] = {"a page of this memory comes from an ordinary file, in this "
				   "process or in the VMM",
				   "share anonymous memory, and start the VM with anonymous, "
				   "shared (memfd, /dev/shm) or hugetlb memory",
				   "address", HEX},
	[ELISA_WHY_DIRTY_LOG] = {"the VMM logs writes to memory (live migration), and the log "
				 "would miss writes by the function",
				 "end the migration, or detach before it", "guest-physical address",
				 HEX},
	[ELISA_WHY_PIN] = {"the host could not pin a page of this memory",
			   "check the limits on memory of the process and of the VMM, and the "
			   "kernel's log",
			   "address", HEX},
	[ELISA_WHY_ENTRY] = {"the entry function is not in an executable mapping",
			     "map its code with ELISA_PROT_READ | ELISA_PROT_EXEC first", "offset",
			     HEX},
	[ELISA_WHY_ROOT] = {"the host does not accept this process's page-table root",
			    "give the VM less memory, or update the driver in the VM", "root", HEX},
	[ELISA_WHY_SELECTOR] = {"the code or stack segment is not that of 64-bit user mode",
				"attach from an ordinary 64-bit process", "selector", HEX},
	[ELISA_WHY_ATTACHED] = {"this process is attached to the export already",
				"use the process's attachment, from any thread", "slot", DECIMAL},
	[ELISA_WHY_NO_SLOT] = {"all 64 slots of this VM are in use",
			       "detach from exports that are no longer needed", NULL, NO_VALUE},
	[ELISA_WHY_NO_ATTACHMENT] = {"the attachment is gone",
				     "attach again; its manager or a grant may have ended", "slot",
				     DECIMAL},
	[ELISA_WHY_PCID] = {"this VM runs with CR4.PCIDE=1, and cached translations of other "
			    "processes could be used in the object's context",
			    "start this VM with -cpu ...,-pcid (libvirt: <feature "
			    "policy='disable' name='pcid'/>), or boot its kernel with nopcid",
			    NULL, NO_VALUE},
	[ELISA_WHY_CET] = {"this VM runs with CR4.CET=1, and its kernel could have the CPU read "
			   "the object at indirect branches",
			   "boot this VM's kernel with ibt=off nousershstk", "CR4", HEX},
	[ELISA_WHY_COUNTERS] = {"PEBS, LBRs or branch tracing of this VM would go on in the "
				"object's context",
				"stop perf in this VM, or start it with -cpu ...,pmu=off (libvirt: "
				"<pmu state='off'/> among its features)",
				"CR4", HEX},
	[ELISA_WHY_APICV] = {"KVM does not switch this VM's APICv off: the CPU could deliver "
			     "interrupts inside the object's context",
			     "on the host reload KVM with: modprobe kvm_intel enable_apicv=0", NULL,
			     NO_VALUE},
	[ELISA_WHY_VCPU_STATE] = {"the vCPU is in a state that ELISA refuses",
				  "boot a 64-bit kernel, without fred=on, in a VM with -cpu host "
				  "or ...,+smep,+smap,+fsgsbase,+xsave (libvirt: <feature "
				  "policy='require' name='smap'/> and so on)",
				  "CR4", HEX},
	[ELISA_WHY_CPU_BUG] = {"the host's CPU has a flaw (as L1TF, MDS or GDS) by which a guest "
			       "could read what a call leaves in the CPU",
			       "use another host, or accept the leak: elisactl check on the "
			       "host names the flaw and the module's parameter",
			       NULL, NO_VALUE},
	[ELISA_WHY_HOOK] = {"a KVM function on the host is taken by a livepatch, a BPF program or "
			    "a probe that redirects",
			    "remove that on the host (its kernel log names the function)", NULL,
			    NO_VALUE},
	[ELISA_WHY_NO_MEMORY] = {"the host is out of memory", "free memory on the host", NULL,
				 NO_VALUE},
	[ELISA_WHY_NO_PLACE] = {"there is no such place, or it is taken, or all places are taken, "
				"or the export has its places already",
				"detach the attachment that has it, or let the export's manager "
				"make more places",
				"place", DECIMAL},
	[ELISA_WHY_ASKED] = {"the host is asking its administrator's policy about this VM",
			     "try again in a moment", NULL, NO_VALUE},
	[ELISA_WHY_ORDER] = {"no large page can be mapped there",
			     "use 4 KiB pages (the driver of this release does that by itself)",
			     "address or offset", HEX},
	[ELISA_WHY_PLACES_PER_VMM] =
		{"this VM has as many places of the export as it may have without tickets",
		 "detach one of them, attach by a ticket, or let the export's manager allow more",
		 "limit", DECIMAL},
	[ELISA_WHY_TSX] = {"the host's CPU has transactions (TSX), and a transaction that is "
			   "open at a call could undo what the gate wrote",
			   "boot the host's kernel with tsx=off", NULL, NO_VALUE},
	[ELISA_WHY_DOORBELL] = {"there is no such interrupt, or this VM has none for a doorbell",
				"see the VM's kernel log and the parameter doorbell of elisa-guest",
				"interrupt", DECIMAL},
	[ELISA_WHY_NO_HOST] = {"no ELISA host module answers",
			       "on the host run: modprobe elisa (elisactl check tells more)", NULL,
			       NO_VALUE},
	[ELISA_WHY_ADDRESS] = {"this is not memory of the process that can be shared",
			       "give the address of memory that is mapped and writable in this "
			       "process, whatever the protection in the export",
			       "address", HEX},
	[ELISA_WHY_WINDOW] = {"the addresses that ELISA needs in this process are in use",
			      "do not map memory between 0x600000000000 and 0x608000000000",
			      "address", HEX},
	[ELISA_WHY_STATE] = {"this open device belongs to another process",
			     "open the device, export and attach in the process that uses it; "
			     "a child of fork() or a program after exec() must do that again",
			     NULL, NO_VALUE},
	[ELISA_WHY_CAPABILITY] = {"the process lacks the capability CAP_SYS_RAWIO",
				  "run it as root, or give it that capability", NULL, NO_VALUE},
	[ELISA_WHY_SYSTEM_RAM] = {"this range overlaps memory of the VM's kernel",
				  "give the address of memory behind a PCI BAR (the file resource "
				  "of the device in /sys)",
				  "guest-physical address", HEX},
	[ELISA_WHY_MEMLOCK] = {"the VMM process on the host may not lock this much memory",
			       "raise its RLIMIT_MEMLOCK on the host (prlimit --memlock), or share "
			       "less; a huge page counts as a whole",
			       "pages that it may", DECIMAL},
	[ELISA_WHY_UNTOLD] = {"attachments of this VM ended during calls, and the manager has not "
			      "read the events about that yet",
			      "try again when the manager has read its events", "attachments",
			      DECIMAL},
};

/* Texts of failures that come with an errno alone. */
static const struct {
	int error;
	const char *todo;
} hints[] = {
	{ENOENT, "load the driver in this VM: modprobe elisa-guest"},
	{ENODEV, "load the driver in this VM: modprobe elisa-guest"},
	{ENXIO, "load the driver in this VM: modprobe elisa-guest"},
	{EACCES, "let this user read and write the device (a udev rule, or run as root)"},
	{EPERM, "let this user read and write the device (a udev rule, or run as root)"},
	{ENOTTY, "give the guest driver's device; on the host /dev/elisa is another one"},
	{ENOMEM, "free memory, or raise the process's limit (ulimit -l)"},
	{EINTR, "a signal interrupted the request; call again"},
	{EBUSY, "end all exports and attachments that use it first"},
	{EMFILE, "raise the process's limit of open files (ulimit -n)"},
};

static _Thread_local char thread_text[ELISA_TEXT_SIZE];	  /* of failures without a handle */
static _Thread_local char returned_text[ELISA_TEXT_SIZE]; /* the text that elisa_error() returned */
static _Thread_local struct elisa_status thread_status;

static void format_reason(char *text, size_t size, uint32_t why, uint64_t value)
{
	const struct reason *reason = &reasons[why];
	char shown[80] = "";

	if (reason->form == HEX)
		snprintf(shown, sizeof(shown), " (%s %#llx)", reason->value_name,
			 (unsigned long long)value);
	else if (reason->form == DECIMAL)
		snprintf(shown, sizeof(shown), " (%s %llu)", reason->value_name,
			 (unsigned long long)value);
	snprintf(text, size, "%s%s; %s", reason->wrong, shown, reason->todo);
}

static void format_errno(char *text, size_t size, int error)
{
	const char *name = strerrordesc_np(error);
	const char *todo = "the kernel's log (dmesg) may say more";

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (hints[i].error == error)
			todo = hints[i].todo;
	snprintf(text, size, "%s (errno %d); %s", name ? name : "unknown error", error, todo);
}

static int record(struct elisa *handle, int error, uint32_t why, uint64_t value, const char *text)
{
	if (!handle) {
		thread_status.why = why;
		thread_status.value = value;
		snprintf(thread_text, sizeof(thread_text), "%s", text);
		return -error;
	}
	pthread_mutex_lock(&handle->lock);
	handle->status.why = why;
	handle->status.value = value;
	snprintf(handle->text, sizeof(handle->text), "%s", text);
	pthread_mutex_unlock(&handle->lock);
	return -error;
}

int elisa_fail(struct elisa *handle, int error, uint32_t why, uint64_t value, const char *doing,
	       const char *subject)
{
	char what[ELISA_TEXT_SIZE - 128];
	char text[ELISA_TEXT_SIZE];

	if (why == ELISA_OK)
		format_errno(what, sizeof(what), error);
	else if (why < ELISA_WHY_COUNT)
		format_reason(what, sizeof(what), why, value);
	else
		snprintf(what, sizeof(what),
			 "reason %u (value %#llx) is unknown to this library; update the library",
			 why, (unsigned long long)value);
	if (subject)
		snprintf(text, sizeof(text), "%s '%.*s': %s", doing, ELISA_NAME_SIZE, subject,
			 what);
	else
		snprintf(text, sizeof(text), "%s: %s", doing, what);
	return record(handle, error, why, value, text);
}

ELISA_PUBLIC int elisa_fail_text(struct elisa *handle, int error, const char *format, ...)
{
	char text[ELISA_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return record(handle, error, ELISA_OK, 0, text);
}

ELISA_PUBLIC const char *elisa_error(struct elisa *handle)
{
	if (!handle) {
		memcpy(returned_text, thread_text, sizeof(returned_text));
	} else {
		pthread_mutex_lock(&handle->lock);
		memcpy(returned_text, handle->text, sizeof(returned_text));
		pthread_mutex_unlock(&handle->lock);
	}
	return returned_text[0] ? returned_text : "no error";
}

ELISA_PUBLIC uint32_t elisa_error_why(struct elisa *handle, uint64_t *value)
{
	struct elisa_status status = thread_status;

	if (handle) {
		pthread_mutex_lock(&handle->lock);
		status = handle->status;
		pthread_mutex_unlock(&handle->lock);
	}
	if (value)
		*value = status.value;
	return status.why;
}

ELISA_PUBLIC const char *elisa_call_strerror(long error)
{
	switch (error) {
	case ELISA_CALL_OK:
		return "the call returned normally";
	case ELISA_CALL_FAULT:
		return "the function faulted (a page that it may not access, or an exception); "
		       "its manager must fix the function";
	case ELISA_CALL_FORBIDDEN:
		return "the function executed an instruction that its context forbids; its manager "
		       "must fix the function";
	case ELISA_CALL_TIMEOUT:
		return "the call ran for longer than its export allows, or its vCPU was kept from "
		       "running for too long; give the call less to do, or raise limit_us or "
		       "suspend_us";
	case ELISA_CALL_REVOKED:
		return "the export or the attachment has ended; attach again when its manager is "
		       "back";
	case ELISA_CALL_CLOSED:
		return "the vCPU's state forbids calls; undo what changed since attaching (CR4, "
		       "tracing, debugging), or attach again for the reason";
	case ELISA_CALL_VMM:
		return "the VMM read or changed the vCPU's state during the call (a pause, "
		       "a debugger, a snapshot); call again if the function can be repeated";
	case ELISA_CALL_POISONED:
		return "an earlier call in this export was aborted, and the export refuses calls "
		       "after that; its manager must repair the object and publish it again";
	case ELISA_CALL_NOT_ATTACHED:
		return "this process is not attached; only the process that attached may call, "
		       "and a child of fork() must attach for itself. After the VM was restored, "
		       "or the host's module was loaded anew, detach and attach again";
	default:
		return "this library does not know this error; update the library";
	}
}
