/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes over TCP that can be checked: vmnet_stream serve ADDRESS PORT
 * COUNT, vmnet_stream send ADDRESS PORT MIB. A sixteenth of it comes back.
 * The bytes are pseudorandom; each end fails at the first wrong one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE	 65536
#define ATTEMPTS 400 /* of a tenth of a second: the other end may not be there yet */

static uint64_t piece[PIECE / 8];

/* The stream repeats a piece with a prime number of words, so that a lost piece shows. */
static void make_piece(size_t bytes)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	for (size_t i = 0; i < bytes / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		piece[i] = x;
	}
}
#define PERIOD (8 * 8191)

static int send_all(int fd, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes;) {
		const uint64_t at = done % PERIOD;
		uint64_t n = PERIOD - at < bytes - done ? PERIOD - at : bytes - done;
		ssize_t sent = send(fd, (const uint8_t *)piece + at, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return -1;
		done += (uint64_t)sent;
	}
	return 0;
}

static int receive_all(int fd, uint64_t bytes)
{
	static uint8_t got[PIECE];

	for (uint64_t done = 0; done < bytes;) {
		const uint64_t at = done % PERIOD, left = bytes - done;
		uint64_t room = PERIOD - at < left ? PERIOD - at : left;
		ssize_t n = recv(fd, got, room, 0);

		if (n <= 0)
			return -1;
		if (memcmp(got, (const uint8_t *)piece + at, (size_t)n)) {
			fprintf(stderr, "FAILED: wrong bytes after %llu\n",
				(unsigned long long)done);
			exit(1);
		}
		done += (uint64_t)n;
	}
	return 0;
}

static struct sockaddr_in address_of(char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)atoi(argv[3]))};

	if (!inet_aton(argv[2], &address.sin_addr)) {
		fprintf(stderr, "no address: %s\n", argv[2]);
		exit(2);
	}
	return address;
}

/* Waits until all that was sent is acknowledged: the ends of connections
 * may get lost with an interface. */
static int arrived(int fd)
{
	const struct timespec nap = {.tv_nsec = 20000000};
	int left = 1;

	for (int i = 0; left && i < 1000; i++) {
		if (ioctl(fd, SIOCOUTQ, &left))
			return -1;
		nanosleep(&nap, NULL);
	}
	return left ? -1 : 0;
}

/* Takes what comes and gives a sixteenth back. */
static int serve(const struct sockaddr_in *address, long count)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) || listen(fd, 8)) {
		perror("FAILED: listen");
		return 1;
	}
	while (count--) {
		int peer = accept(fd, NULL, NULL);
		uint64_t bytes = 0;

		if (peer < 0 || recv(peer, &bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes) ||
		    receive_all(peer, bytes) || send_all(peer, bytes / 16) || arrived(peer)) {
			perror("FAILED: a connection broke");
			return 1;
		}
		close(peer);
	}
	return 0;
}

static int connect_to(const struct sockaddr_in *address)
{
	const struct timespec nap = {.tv_nsec = 100000000};

	for (int i = 0; i < ATTEMPTS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)))
			return fd;
		close(fd);
		nanosleep(&nap, NULL);
	}
	return -1;
}

static int transfer(const struct sockaddr_in *address, uint64_t bytes)
{
	const uint64_t mib = bytes >> 20;
	int fd = connect_to(address);

	if (fd < 0 || send(fd, &bytes, sizeof(bytes), MSG_NOSIGNAL) != sizeof(bytes) ||
	    send_all(fd, bytes) || receive_all(fd, bytes / 16)) {
		perror("FAILED: no connection, or it broke");
		return 1;
	}
	close(fd);
	printf("%llu MiB there, a sixteenth back, every byte right\n", (unsigned long long)mib);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address;

	if (argc != 5) {
		fputs("Usage: vmnet_stream serve|send ADDRESS PORT COUNT|MIB\n", stderr);
		return 2;
	}
	make_piece(PERIOD);
	address = address_of(argv);
	if (!strcmp(argv[1], "serve"))
		return serve(&address, atol(argv[4]));
	return transfer(&address, (uint64_t)atol(argv[4]) << 20);
}
