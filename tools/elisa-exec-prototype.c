/* SPDX-License-Identifier: Apache-2.0 */
/*
 * elisa-exec with the research prototype's command line: -f LIB.so -p PORT [-s SERVER]. LIB.so has
 * the prototype's callbacks and is one side of an application, which uses libelisa-compat. The
 * libraries of this program must not bring in other names than the prototype's: they would take
 * precedence over LIB.so's own.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <libelisa.h>
#include "elisa-exec.h"
#include "options.h"

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

struct options {
	const char *file, *server;
	uint32_t port;
};

/* The prototype's options, which are letters only. */
static const struct program_option known[] = {
	{.letter = 'f',
	 .value = "LIB.so",
	 .must = "a file",
	 .read = option_text,
	 OPTION_AT(file),
	 .help = "the library"},
	{.letter = 'p',
	 .value = "PORT",
	 .must = "a port",
	 .read = option_number,
	 OPTION_AT(port),
	 .least = 1,
	 .most = UINT16_MAX,
	 .help = "TCP port of the server"},
	{.letter = 's',
	 .value = "SERVER",
	 .must = "a server",
	 .read = option_text,
	 OPTION_AT(server),
	 .help = "be a client of it (address or host name); else be the server"},
};

static const struct program program = {
	.name = "elisa-exec",
	.before = "Usage: elisa-exec -f LIB.so -p PORT [-s SERVER]\n"
		  "\n"
		  "Runs one side of a program of the research prototype.\n"
		  "\n",
	.after = "Exit status: 1 failed; 2 wrong usage; of a client: what it returned.\n",
	.options = known,
	.option_count = sizeof(known) / sizeof(*known),
};

int main(int argc, char **argv)
{
	struct options options = {0};
	struct callbacks callbacks = {0};
	int first, status, ret;

	first = options_read(&program, 0, &options, argc, argv, &status);
	if (first == OPTIONS_DONE)
		return status;
	if (first < argc)
		return options_wrong(&program, "'%s' is too much", argv[first]);
	if (!options.file || !options.port)
		return options_wrong(&program, "give -f LIB.so and -p PORT");
	/* before the library and its data are loaded, so that functions can use them in place */
	if (!options.server && elisa_compat_place() < 0)
		return failed("server");
	if (!load(options.file, options.server, &callbacks))
		return 1;
	ret = callbacks.init();
	if (ret) {
		fprintf(stderr, "elisa-exec: elisa__exec_init returned %d\n", ret);
		return 1;
	}
	return options.server ? run_client(&callbacks, options.server, (int)options.port) :
				run_server(&callbacks, (int)options.port);
}
