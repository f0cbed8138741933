// SPDX-License-Identifier: Apache-2.0
/*
 * A process hands the file descriptors of a vCPU and of /dev/elisa to another process.
 *
 * It does so over a socket, while the vCPU is in sub. The attack would succeed if the other
 * process, without privileges, read registers of the vCPU or granted itself a right. It counts the
 * requests that the kernel does not refuse, and looks for data in its buffer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "attack.h"

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static void send_file(int to, int fd)
{
	union control control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
	struct iovec byte = {"", 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(to, &message, 0), 1);
}

static int receive_file(int from)
{
	union control control;
	char room;
	struct iovec byte = {&room, 1};
	struct msghdr message = {.msg_iov = &byte,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(from, &message, 0) == 1)
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* Returns the number of requests that were not refused, plus the number of words that were read. */
static int stranger(int socket)
{
	static const unsigned long requests[] = {
		KVM_RUN,	   KVM_GET_REGS,	KVM_SET_REGS, KVM_GET_SREGS,
		KVM_SET_SREGS,	   KVM_GET_XSAVE,	KVM_GET_FPU,  KVM_TRANSLATE,
		KVM_GET_DEBUGREGS, KVM_GET_VCPU_EVENTS, KVM_NMI,      KVM_GET_LAPIC,
	};
	static uint64_t buffer[4096 / 8];
	struct elisa_host_grant grant_me = {
		.pid = getpid(), .rights = ELISA_GRANT_EXPORT, .name = "*"};
	struct elisa_host_stats stats;
	int vcpu = receive_file(socket), admin = receive_file(socket), bad = 0;
	unsigned int i;

	if (setuid(1000) || vcpu < 0 || admin < 0)
		return 100;
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		bad += ioctl(vcpu, requests[i], buffer) >= 0 || errno != EIO;
	bad += ioctl(admin, ELISA_HOST_IOC_GRANT, &grant_me) >= 0 || errno != EPERM;
	bad += ioctl(admin, ELISA_HOST_IOC_STATS, &stats) >= 0 || errno != EPERM;
	bad += open("/dev/elisa", O_RDWR) >= 0;
	for (i = 0; i < sizeof(buffer) / 8; i++)
		bad += buffer[i] != 0;
	return bad;
}

int main(void)
{
	struct pair pair = attack_pair("t.handed", 0, 1000000, ELISA_STUB_XSAVE, 0, 1);
	unsigned long i, count = attack_scale(20);
	int ends[2], status, admin = open("/dev/elisa", O_RDWR);
	struct outcome out;
	pid_t child;

	CHECK(admin >= 0);
	for (i = 0; i < count; i++) {
		CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
		wait_in_sub(pair.guest, 0, pair.slot, pair.manager);
		child = fork();
		if (!child)
			_exit(stranger(ends[1]));
		send_file(ends[0], pair.guest->vcpu[0]);
		send_file(ends[0], admin);
		CHECK(waitpid(child, &status, 0) == child);
		attack_tries(15, WIFEXITED(status) ? WEXITSTATUS(status) : 15, "requests answered");
		let_go(pair.manager);
		out = finish(pair.guest, 0);
		/* The call may go on or end. The other process can cause nothing else. */
		attack_try(!out.exit && (!out.error || out.error == ELISA_CALL_VMM),
			   "exit %#x, error %ld", out.exit, out.error);
		attack_try(attack_pair_works(&pair), "no call afterwards");
		close(ends[0]);
		close(ends[1]);
	}
	return 0;
}
