// SPDX-License-Identifier: Apache-2.0
/*
 * The device's arguments. Each value is checked here. The message says which value was wrong and
 * what would be right. No value is guessed, or cut to fit.
 */
#include "net_rvif.h"

#include <rvif/elisa.h>

#include <errno.h>
#include <rte_kvargs.h>
#include <stdlib.h>

struct range {
	const char *name;
	unsigned long min;
	unsigned long max;
};

static int parse_number(const struct range *range, const char *value, unsigned long *number)
{
	char *end;

	errno = 0;
	*number = strtoul(value, &end, 10);
	if (!errno && *value >= '0' && *value <= '9' && !*end && *number >= range->min &&
	    *number <= range->max)
		return 0;
	NET_RVIF_LOG(ERR, "%s='%s' is not a number from %lu to %lu", range->name, value, range->min,
		     range->max);
	return -EINVAL;
}

static int parse_queues(const char *key, const char *value, void *opaque)
{
	struct net_rvif_options *options = opaque;
	unsigned long number;
	int error = parse_number(&(struct range){key, 1, RVIF_MAX_QUEUES}, value, &number);

	if (!error)
		options->queues = (uint32_t)number;
	return error;
}

static int parse_buffer(const char *key, const char *value, void *opaque)
{
	struct net_rvif_options *options = opaque;
	unsigned long number;
	int error = parse_number(&(struct range){key, RVIF_MIN_BUFFER, RVIF_MAX_BUFFER}, value,
				 &number);

	if (!error)
		options->buffer_size = (uint32_t)number;
	return error;
}

static int parse_switch(const char *key, const char *value, void *opaque)
{
	unsigned long number;
	int error = parse_number(&(struct range){key, 0, 1}, value, &number);

	if (!error)
		*(bool *)opaque = number;
	return error;
}

static int parse_where(const char *key, const char *value, struct net_rvif_options *options,
		       const struct rvif_transport *transport, const char *what)
{
	if (!*value) {
		NET_RVIF_LOG(ERR, "%s= names no %s", key, what);
		return -EINVAL;
	}
	if (options->path) {
		NET_RVIF_LOG(ERR, "%s='%s': there is a path= or elisa= already, '%s'", key, value,
			     options->path);
		return -EINVAL;
	}
	options->transport = transport;
	options->path = strdup(value);
	return options->path ? 0 : -ENOMEM;
}

static int parse_path(const char *key, const char *value, void *options)
{
	return parse_where(key, value, options, &rvif_shared_file, "file");
}

static int parse_elisa(const char *key, const char *value, void *options)
{
	return parse_where(key, value, options, &rvif_over_elisa, "export");
}

static int parse_mac(const char *key, const char *value, void *opaque)
{
	struct net_rvif_options *options = opaque;

	if (rvif_parse_mac(value, options->mac.addr_bytes)) {
		NET_RVIF_LOG(ERR, "%s='%s' is not a MAC address such as 02:00:00:00:00:01", key,
			     value);
		return -EINVAL;
	}
	if (!rvif_mac_is_station(options->mac.addr_bytes)) {
		NET_RVIF_LOG(ERR, "%s='%s' is all zeroes or a group's address", key, value);
		return -EINVAL;
	}
	return 0;
}

static int parse_mode(const char *key, const char *value, void *opaque)
{
	struct net_rvif_options *options = opaque;

	if (!rvif_parse_mode(value, &options->access.mode))
		return 0;
	NET_RVIF_LOG(ERR, "%s='%s' is not an octal mode from 1 to 0777", key, value);
	return -EINVAL;
}

static int parse_group(const char *key, const char *value, void *opaque)
{
	struct net_rvif_options *options = opaque;

	options->access.has_group = 1;
	if (!rvif_parse_group(value, &options->access.group))
		return 0;
	NET_RVIF_LOG(ERR, "%s='%s' is not a group", key, value);
	return -EINVAL;
}

int net_rvif_parse(const char *arguments, struct net_rvif_options *options)
{
	static const char *const known[] = {"path", "elisa", "mac",   "queues",	   "buffer", "csum",
					    "tso",  "mode",  "group", "zero_copy", NULL};
	struct rte_kvargs *list;
	bool has_buffer;
	int error;

	*options = (struct net_rvif_options){
		.queues = 1,
		.buffer_size = NET_RVIF_DEFAULT_BUFFER,
		.csum = true,
	};
	list = rte_kvargs_parse(arguments ? arguments : "", known);
	if (!list) {
		NET_RVIF_LOG(
			ERR,
			"arguments '%s': only path=, elisa=, mac=, queues=, buffer=, csum=, tso=, "
			"mode=, group= and zero_copy= are known",
			arguments ? arguments : "");
		return -EINVAL;
	}
	error = rte_kvargs_process(list, "path", parse_path, options);
	if (!error)
		error = rte_kvargs_process(list, "elisa", parse_elisa, options);
	if (!error)
		error = rte_kvargs_process(list, "mac", parse_mac, options);
	if (!error)
		error = rte_kvargs_process(list, "queues", parse_queues, options);
	if (!error)
		error = rte_kvargs_process(list, "buffer", parse_buffer, options);
	if (!error)
		error = rte_kvargs_process(list, "csum", parse_switch, &options->csum);
	if (!error)
		error = rte_kvargs_process(list, "tso", parse_switch, &options->tso);
	if (!error)
		error = rte_kvargs_process(list, "mode", parse_mode, options);
	if (!error)
		error = rte_kvargs_process(list, "group", parse_group, options);
	if (!error)
		error = rte_kvargs_process(list, "zero_copy", parse_switch, &options->zero_copy);
	has_buffer = rte_kvargs_count(list, "buffer");
	rte_kvargs_free(list);
	if (!error && !options->path) {
		NET_RVIF_LOG(ERR,
			     "path= is missing: the file that is shared with the switch; or, in a "
			     "VM, elisa=: the export of elisa-vmnet, or the file with a ticket");
		error = -EINVAL;
	}
	if (!error && options->transport != &rvif_shared_file &&
	    (options->access.mode || options->access.has_group)) {
		NET_RVIF_LOG(ERR, "mode= and group= are for path=, not for elisa='%s'",
			     options->path);
		error = -EINVAL;
	}
	if (!error && options->zero_copy && has_buffer) {
		NET_RVIF_LOG(ERR, "buffer=%u with zero_copy=1: the buffers are the pool's mbufs",
			     options->buffer_size);
		error = -EINVAL;
	}
	if (!error && options->tso && !options->csum) {
		NET_RVIF_LOG(ERR, "tso=1 needs csum=1");
		error = -EINVAL;
	}
	return error ? -EINVAL : 0;
}

void net_rvif_free_options(struct net_rvif_options *options)
{
	free(options->path);
	options->path = NULL;
}
