/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-exec with the research prototype's command line: -f LIB.so -p PORT [-s SERVER]. LIB.so has
 * the prototype's callbacks and is one side of an application, by way of libelisa-compat. Nothing that this program links
 * may bring in other names than the prototype's: they would come before LIB.so's own.
 */
#include <dlfcn.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <libelisa.h>
#include "elisa-exec.h"

struct callbacks {
	int (*init)(void);
	int (*server)(int sockfd, uint64_t *user, struct elisa_map_req **reqs, int *nreqs,
		      uint64_t *entry);
	int (*server_exit)(uint64_t *user);
	int (*client)(int sockfd);
	int (*client_work)(void);
};

static int failed(const char *what)
{
	fprintf(stderr, "elisa-exec: %s: %s\n", what, elisa_compat_error());
	return 1;
}

static void report(const char *line)
{
	fprintf(stderr, "elisa-exec: %s\n", line);
}

static bool find(void *object, const char *name, void *callback)
{
	*(void **)callback = dlsym(object, name);
	if (!*(void **)callback)
		fprintf(stderr, "elisa-exec: the library lacks a callback: %s\n", dlerror());
	return *(void **)callback;
}

static bool load(const char *file, bool is_client, struct callbacks *callbacks)
{
	void *object = load_object(file);

	if (!object || !find(object, "elisa__exec_init", &callbacks->init))
		return false;
	if (is_client)
		return find(object, "elisa__client_cb", &callbacks->client) &&
		       find(object, "elisa__client_work", &callbacks->client_work);
	return find(object, "elisa__server_cb", &callbacks->server) &&
	       find(object, "elisa__server_exit_cb", &callbacks->server_exit);
}

static int run_server(const struct callbacks *callbacks, int port)
{
	elisa_compat_report(report);
	elisa_server(port, callbacks->server, callbacks->server_exit);
	return failed("server");
}

static int run_client(const struct callbacks *callbacks, const char *server, int port)
{
	int sockfd = elisa_client(server, port, callbacks->client);
	int ret;

	if (sockfd < 0)
		return failed("client");
	ret = callbacks->client_work();
	close(sockfd);
	return ret;
}

static int parse_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	return *end || port < 1 || port > UINT16_MAX ? -1 : (int)port;
}

int main(int argc, char **argv)
{
	const char *file = NULL, *server = NULL;
	struct callbacks callbacks = {0};
	int port = 0, option, ret;

	while ((option = getopt(argc, argv, "f:p:s:")) != -1) {
		switch (option) {
		case 'f':
			file = optarg;
			break;
		case 'p':
			port = parse_port(optarg);
			if (port < 0)
				return usage_error("not a port from 1 to 65535", optarg);
			break;
		case 's':
			server = optarg;
			break;
		default:
			return usage_error("unknown option", NULL);
		}
	}
	if (!file || !port || optind < argc)
		return usage_error(
			file && port ? "too many arguments" : "give -f LIB.so and -p PORT", NULL);
	/* before the library and its data are loaded: functions shall be able to use them in place */
	if (!server && elisa_compat_place() < 0)
		return failed("server");
	if (!load(file, server, &callbacks))
		return 1;
	ret = callbacks.init();
	if (ret) {
		fprintf(stderr, "elisa-exec: elisa__exec_init returned %d\n", ret);
		return 1;
	}
	return server ? run_client(&callbacks, server, port) : run_server(&callbacks, port);
}
