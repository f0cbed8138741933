/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libelisa-compat: the calls of the research prototype's libelisa, on libelisa. Programs written
 * for the prototype are compiled again, unchanged. docs/migrating.md says what each call does now,
 * and how to write it with <elisa/elisa.h>.
 *
 * No function of the library exits, prints or asserts. The exception: a server's child for one
 * client exits when that client has gone. A failure sets errno and a text, see
 * elisa_compat_error(). A program may use any names except the prototype's and those that begin
 * with elisa_compat_.
 */
#ifndef LIBELISA_H
#define LIBELISA_H

#include <stdint.h>
#include <elisa/call.h>

#ifdef __cplusplus
extern "C" {
#endif

/* struct elisa_map_req.pt_flags: the page-table entry */
#define PT_P			    (1UL << 0)
#define PT_W			    (1UL << 1)
#define PT_U			    (1UL << 2)
#define PT_WT			    (1UL << 3)
#define PT_CD			    (1UL << 4)
#define PT_PS			    (1UL << 7)
#define PT_NX			    (1UL << 63)

/* struct elisa_map_req.ept_flags: the EPT entry */
#define EPT_R			    (1UL << 0)
#define EPT_W			    (1UL << 1)
#define EPT_X			    (1UL << 2)
#define EPT_MEMORY_TYPE		    6UL /* write-back */
#define EPT_MT_SHIFT		    3
#define EPT_MT			    (EPT_MEMORY_TYPE << EPT_MT_SHIFT)
#define EPT_A			    (1UL << 8)
#define EPT_U			    (1UL << 10)

/* Bits of entries that no request has. For programs that take entries apart. */
#define EPT__I			    (1UL << 6) /* ignore PAT */
#define EPT__PS			    (1UL << 7) /* large page */
#define EPT__A			    (1UL << 8) /* accessed */
#define EPT__D			    (1UL << 9) /* dirty */
#define EPT_ADDR_MASK		    0xffffffffff000UL
#define CR3_ADDR_MASK		    0x7ffffffffffff000UL

/* struct elisa_map_req.flags: src_gxa is a guest-physical address, which needs CAP_SYS_RAWIO */
#define ELISA_MAP_REQ_FLAGS_SRC_GPA (1UL << 1)

/*
 * One page that a client's calls see. These flags are possible: EPT_R with PT_P and PT_U. With
 * them, a page is writable (EPT_W and PT_W) or executable (EPT_X without PT_NX). A page that asks
 * for both becomes executable if the server itself may execute it, else writable. Memory is always
 * write-back. dst_gpa, EPT_A and EPT_U have no meaning any more.
 */
struct elisa_map_req {
	uint64_t flags;	    /* ELISA_MAP_REQ_FLAGS_* */
	uint64_t src_gxa;   /* address in this process, or guest-physical; page aligned */
	uint64_t dst_gva;   /* where the function sees it: inside the object area (<elisa/abi.h>) */
	uint64_t dst_gpa;   /* not used */
	uint64_t pt_flags;  /* PT_* */
	uint64_t ept_flags; /* EPT_* */
	int level;	    /* 1: a page of 4096 bytes */
};

/*
 * Serve clients on a TCP port (1 to 65535) of all IPv4 and IPv6 addresses, for ever. Each client
 * gets a child process; there are up to 256. The function returns only if it cannot serve, with
 * errno set: EPERM (no grant), EADDRINUSE, EINVAL, those of elisa_open(), socket(2) and bind(2).
 *
 * server_cb runs in the child, while the client's callback runs on the other end of sockfd. sockfd
 * belongs to the two callbacks until both return. server_cb gives the requests, and the entry
 * function's address as the function's side sees it. If it does not return 0, the client is
 * refused. *user is for the callbacks. exit_cb runs when a client has gone for which server_cb
 * returned 0. A client has 60 seconds to become attached. The environment chooses the function's
 * time, stack and registers (docs/migrating.md). elisa_compat_report() tells of calls that were
 * ended.
 *
 * A request for a page that the callback allocated or wrote is this client's own. Pages that the
 * child still has in common with the process that called elisa_server() are shared by all clients.
 */
void elisa_server(const int port,
		  int (*server_cb)(int sockfd, uint64_t *user, struct elisa_map_req **reqs,
				   int *nreqs, uint64_t *entry),
		  int (*exit_cb)(uint64_t *user));

/*
 * Attach this process to a server (IPv4 or IPv6 address, or host name). cb exchanges the
 * application's data; if it does not return 0, the process does not attach. Returns the connected
 * socket: the attachment lives until the socket is closed. All threads of the process may call
 * then, on any vCPU. A thread that attached itself keeps its own attachment. All other threads use
 * the process's last one.
 *
 * Returns -1 on failure. Errors, in errno: ECONNREFUSED (no server), ETIMEDOUT, EPROTO (not a
 * server of this kind), EBUSY (the server has 256 clients), ECONNABORTED (the server refused, or
 * failed), ECANCELED (cb failed), ENOENT (no such host), those of elisa_open() and
 * elisa_attach_private(). Thread-safe.
 */
int elisa_client(const char *server_ip, const int port, int (*cb)(int sockfd));

/*
 * Return the text of the calling thread's last failure in this library, including a failed
 * elisa_gate_entry(): what was being done, what was wrong, what to do. Never NULL. The text lasts
 * until the thread's next failure.
 */
const char *elisa_compat_error(void);

/*
 * Set where servers report failures of single clients, since elisa_server() does not return for
 * those. The function gets one line without its newline. It runs in the server and its children.
 * Set it before elisa_server(). NULL, the initial value: failures are not reported.
 */
void elisa_compat_report(void (*report)(const char *line));

/*
 * Make the memory that this process maps from now on lie in the object area. So it can have the
 * same address for the function (dst_gva = src_gxa). elisa_server() and
 * elisa_create_program_map_req() call it. A server that maps memory before those must call it
 * first. Such a process cannot be a client. Returns 0, or -1 with errno: ENOMEM (no room, ulimit
 * -v).
 */
int elisa_compat_place(void);

/* --- the call */

/* Address of the stub that this thread calls. */
extern __thread uint64_t elisa_compat_gate __attribute__((tls_model("initial-exec")));

long elisa_compat_call_failed(long error);

static inline __attribute__((always_inline)) long elisa_compat_call(long a0, long a1, long a2,
								    long a3, long a4, long a5)
{
	long value = (long)elisa_compat_gate;
	long error = a2;

	ELISA_CALL_STUB(value, error, a0, a1, a3, a4, a5, ELISA_CALL_CLOBBERS,
			ELISA_CALL_VECTORS ELISA_CALL_WIDE_VECTORS);
	if (__builtin_expect(error != 0, 0))
		return elisa_compat_call_failed(error);
	return value;
}

/*
 * Call the entry function as f(a0, a1, a2, index, a4, a5). index was the number of the gate and is
 * 511 by custom. Arguments are integers or pointers; arguments that are left out are 0. Returns the
 * function's result.
 *
 * If ELISA ended the call, the result is -1. Errors, in errno: EFAULT (the function faulted), EPERM
 * (the function did what it may not), ETIMEDOUT (too long), EPIPE (the server or the connection has
 * gone), ENOTCONN (this process is not attached), EAGAIN (the VMM or the vCPU's state). Set errno
 * to 0 before the call, to tell this from a function that returns -1.
 */
long elisa_gate_entry(long a0, ...);
#define elisa_gate_entry(...) ELISA_COMPAT_SIX(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define ELISA_COMPAT_SIX(a0, a1, a2, a3, a4, a5, ...) \
	elisa_compat_call((long)(a0), (long)(a1), (long)(a2), (long)(a3), (long)(a4), (long)(a5))

/*
 * These have no effect. Interrupts need not be off around a call any more, and a guest's process
 * cannot switch them off. vmcall_rflags() returns the calling thread's RFLAGS, where IF is set.
 */
void vmcall_cli(void);
void vmcall_sti(void);
long vmcall_rflags(void);

#ifdef __cplusplus
}
#endif

#endif
