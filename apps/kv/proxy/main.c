/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-kv-proxy: lets clients of memcached in this VM use a store that VMs share. Each command is
 * a call into the store, which causes no exit. Of memcached's costs only the socket remains.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <elisa/release.h>
#include "access_options.h"
#include "options.h"
#include "output.h"
#include "ready.h"
#include "server.h"
#include "service.h"
#include "signals.h"

#define OTHER_FILES 32 /* descriptors other than those of clients */
/* Clients derive from the number what they may send, so it is memcached's. */
#define VERSION	    "1.6.18 (elisa-kv-proxy " ELISA_RELEASE ")"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

struct options {
	struct elisa_kv_options store;
	const char *socket;
	struct rvif_access access;
	uint32_t port, connections, idle_s;
	bool trust;
	int ready_fd;
};

static const struct program_option known[] = {
	OPTION_TEXT("store", "NAME", "an export's name, or a path", store.store,
		    "the store: an export's name, or the path of a file with a ticket\n"
		    "(default kv)"),
	OPTION_NUMBER("space", "N", "a number from 0 to 255", store.space, 0, 255,
		      "the name space in the store (default 0)"),
	OPTION_FLAG("trust-manager", trust,
		    "let the store's code change this process's vector registers;\n"
		    "calls then take fewer instructions"),
	OPTION_TEXT("socket", "PATH", "a path", socket, "listen at this path"),
	OPTION_READ("mode", "MODE", ACCESS_MODE_MUST, option_mode, access,
		    "permissions of the path (default 0600)"),
	OPTION_NUMBER("port", "N", "a number from 1 to 65535", port, 1, 65535,
		      "listen on this port of 127.0.0.1 and ::1;\nmemcached's is 11211"),
	OPTION_NUMBER("connections", "N", "a number from 1 to 65536", connections, 1, 65536,
		      "the most clients at a time (default 1024)"),
	OPTION_NUMBER("idle", "SECONDS", "a number from 0 to 1000000", idle_s, 0, 1000000,
		      "disconnect a client that is idle for this time (default 0: never)"),
	OPTION_READY_FD(ready_fd),
};

static const struct program program = {
	.name = "elisa-kv-proxy",
	.before = "Usage: elisa-kv-proxy --socket PATH [OPTION]...\n"
		  "       elisa-kv-proxy --port N [OPTION]...\n"
		  "\n"
		  "Speaks memcached's text and meta protocol in front of a store that VMs share.\n"
		  "\n",
	.after = "Exit status: 0 ended by a signal; 1 failed; 2 wrong usage.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

/* Raises the limit of descriptors for so many clients. */
static int allow_files(uint32_t connections)
{
	const rlim_t wanted = connections + OTHER_FILES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted)
		return 0;
	if (limit.rlim_max >= wanted) {
		limit.rlim_cur = wanted;
		if (!setrlimit(RLIMIT_NOFILE, &limit))
			return 0;
	}
	output_print(STDERR_FILENO,
		     "elisa-kv-proxy: %u connections need %u open files, but at most %llu are "
		     "allowed (ulimit -n)\n",
		     connections, connections + OTHER_FILES, (unsigned long long)limit.rlim_max);
	return -1;
}

static int add_listener(struct server *server, int fd)
{
	return fd < 0 ? -1 : server_add(server, fd);
}

static int add_listeners(struct server *server, const struct options *options)
{
	if (options->socket &&
	    add_listener(server, listen_at(options->socket, options->access.mode)))
		return -1;
	if (!options->port)
		return 0;
	if (add_listener(server, listen_on(AF_INET, options->port)))
		return -1;
	/* the machine may have no IPv6 */
	if (access("/proc/net/if_inet6", F_OK))
		return 0;
	return add_listener(server, listen_on(AF_INET6, options->port));
}

static void say_ready(const struct options *options)
{
	output_print(STDOUT_FILENO, "serving store %s, name space %u\n",
		     options->store.store ? options->store.store : "kv", options->store.space);
	service_ready(program.name, options->ready_fd);
}

static int open_store(const struct options *options, struct elisa_kv **kv)
{
	struct elisa_kv_options store = options->store;

	store.threads = 1;
	store.flags = options->trust ? ELISA_KV_TRUST_MANAGER : 0;
	if (!elisa_kv_open(&store, kv))
		return 0;
	output_print(STDERR_FILENO, "elisa-kv-proxy: %s\n", elisa_kv_error());
	return -1;
}

static int serve(const struct options *options)
{
	struct proxy proxy = {.value = malloc(ELISA_KV_VALUE_MAX),
			      .version = VERSION,
			      .started = time(NULL),
			      .most_connections = options->connections};
	struct server server = {.idle_s = options->idle_s, .epoll = -1};
	sigset_t signals;
	int error = -1;

	signals_catch(on_signal);
	signals_that_end(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (proxy.value && !allow_files(options->connections) && !open_store(options, &proxy.kv) &&
	    !server_open(&server, &proxy) && !add_listeners(&server, options)) {
		say_ready(options);
		error = server_run(&server, &signals, &stop);
		if (options->socket)
			unlink(options->socket);
	}
	server_close(&server);
	elisa_kv_close(proxy.kv);
	free(proxy.value);
	return output_end(error);
}

int main(int argc, char **argv)
{
	struct options options = {.access = {.mode = 0600}, .connections = 1024};
	int status;

	if (output_open(program.name))
		return 1;
	if (!options_only(&program, &options, argc, argv, &status))
		return status;
	if (!options.socket && !options.port)
		return options_wrong(&program, "neither --socket nor --port is given");
	return serve(&options);
}
