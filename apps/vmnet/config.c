/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file, JSON: see elisa-vmnet(8). Unknown keys, keys that come twice, and two
 * ports that exclude each other are errors, so that no mistake passes for a setting. Each message
 * names the file and the place in it.
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include "address.h"
#include "complain.h"
#include "daemon.h"
#include "port_stats.h"
#include "settings.h"
#include "vlans.h"

#define MOST_MIB 1 /* limit of the file's size */

static struct settings reading = {.program = "elisa-vmnet", .say = complain_of};

#define wrong(...) settings_wrong(&reading, __VA_ARGS__)

static int get_number(const char *key, json_object *value, uint32_t least, uint32_t most,
		      uint32_t *to)
{
	uint64_t number = *to;
	const int error = settings_number(&reading, key, value, least, most, &number);

	*to = (uint32_t)number;
	return error;
}

static int get_flag(const char *key, json_object *value, uint32_t flag, bool when, uint32_t *flags)
{
	bool is;

	if (settings_bool(&reading, key, value, &is))
		return -1;
	if (is == when)
		*flags |= flag;
	else
		*flags &= ~flag;
	return 0;
}

static int get_mac(const char *key, json_object *value, uint8_t mac[6])
{
	if (json_object_is_type(value, json_type_string) &&
	    !rvif_parse_mac(json_object_get_string(value), mac) && rvif_mac_is_station(mac))
		return 0;
	return wrong("\"%s\": %s is no address of a station, as 02:00:00:00:00:01", key,
		     json_object_to_json_string(value));
}

static int get_trunk(const char *key, json_object *value, uint64_t trunk[VLANS_WORDS])
{
	if (json_object_is_type(value, json_type_string) &&
	    vlans_parse(json_object_get_string(value), trunk))
		return 0;
	return wrong("\"%s\": %s is no list of VLANs, as \"10,20-29\"", key,
		     json_object_to_json_string(value));
}

static int get_addresses(json_object *value, struct rvs_policy *policy)
{
	if (!json_object_is_type(value, json_type_array))
		return wrong("\"addresses\": %s is no list", json_object_to_json_string(value));
	policy->flags |= RVS_CHECK_IP;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		json_object *address = json_object_array_get_idx(value, i);

		if (!json_object_is_type(address, json_type_string) ||
		    !address_add(policy, json_object_get_string(address)))
			return wrong(
				"\"addresses\": %s is no IP address, or there are more than %d",
				json_object_to_json_string(address), RVS_MAX_IPS);
	}
	return 0;
}

static int get_statics(json_object *value, struct port_config *port)
{
	size_t count = json_object_is_type(value, json_type_array) ?
			       json_object_array_length(value) :
			       MAX_STATICS + 1;

	if (count > MAX_STATICS)
		return wrong("\"static\": %s is no list of up to %d addresses",
			     json_object_to_json_string(value), MAX_STATICS);
	port->static_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		if (get_mac("static", json_object_array_get_idx(value, i), port->statics[i]))
			return -1;
	return 0;
}

/*
 * Checks that a port is open only on purpose. Without a ticket, any VM that is granted the export
 * may take the port, also while its owner restarts. Without a configured address, the VM chooses
 * one, which may be the owner's. The configuration must allow that explicitly.
 */
static int check_open(const struct port_config *port)
{
	const bool has_ticket = port->ticket_file[0],
		   has_mac = rvif_mac_is_station(port->policy.mac);

	if (port->is_open || port->uplink[0] || (has_ticket && has_mac))
		return 0;
	return wrong("it has no \"%s\": any guest could take %s; say \"open\": true if it may",
		     has_ticket ? "mac" : "ticket_file",
		     has_ticket ? "another one's address" : "it");
}

static int get_uplink(const char *key, json_object *value, char uplink[IFNAMSIZ])
{
	if (settings_text(&reading, key, value, uplink, IFNAMSIZ))
		return -1;
	if (uplink_is_name(uplink))
		return 0;
	return wrong("\"%s\": %s is no name of an interface", key,
		     json_object_to_json_string(value));
}

/* Refuses keys that an uplink cannot have. Only the daemon may have the port, stations behind it
 * have any address, and the switch does the work of missing offloads. */
static int check_uplink(json_object *object)
{
	static const char *const keys[] = {"ticket_file", "open", "mac", "offloads"};

	if (!json_object_object_get_ex(object, "uplink", NULL))
		return 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (json_object_object_get_ex(object, keys[i], NULL))
			return wrong("\"%s\" is nothing for an \"uplink\"", keys[i]);
	return 0;
}

/* Reads a key about what a port may send, and what it may cost other ports. Returns 1 if it is no
 * such key. */
static int read_rule(const char *key, json_object *value, struct rvs_policy *policy)
{
	if (!strcmp(key, "vlan"))
		return get_number(key, value, 1, RVS_MAX_VLAN, &policy->vlan);
	if (!strcmp(key, "trunk"))
		return get_trunk(key, value, policy->trunk);
	if (!strcmp(key, "addresses"))
		return get_addresses(value, policy);
	if (!strcmp(key, "isolated"))
		return get_flag(key, value, RVS_ISOLATED, true, &policy->flags);
	if (!strcmp(key, "share_ring"))
		return get_flag(key, value, RVS_SHARE_RING, true, &policy->flags);
	if (!strcmp(key, "frames_per_second"))
		return settings_number(&reading, key, value, 0, RVS_MAX_RATE,
				       &policy->per_second[RVS_LIMIT_FRAMES]);
	if (!strcmp(key, "bytes_per_second"))
		return settings_number(&reading, key, value, 0, RVS_MAX_RATE,
				       &policy->per_second[RVS_LIMIT_BYTES]);
	if (!strcmp(key, "floods_per_second"))
		return settings_number(&reading, key, value, 0, RVS_MAX_RATE,
				       &policy->per_second[RVS_LIMIT_FLOODS]);
	return 1;
}

static int read_port(json_object *object, struct port_config *port)
{
	const bool is_uplink = json_object_object_get_ex(object, "uplink", NULL);
	struct rvs_policy *policy = &port->policy;
	int error;

	*policy = (struct rvs_policy){
		.flags = (is_uplink ? 0 : RVS_CHECK_SOURCE) | RVS_KICK | RVS_SHARE_RING,
		.features = RVIF_F_ALL,
		.max_learned = is_uplink ? 1024 : 16,
	};
	if (!json_object_is_type(object, json_type_object))
		return wrong("a port is no object: %s", json_object_to_json_string(object));
	error = check_uplink(object);
	json_object_object_foreach(object, key, value)
	{
		if (error)
			break;
		if (!strcmp(key, "name"))
			error = settings_text(&reading, key, value, port->name, sizeof(port->name));
		else if (!strcmp(key, "ticket_file"))
			error = settings_text(&reading, key, value, port->ticket_file,
					      sizeof(port->ticket_file));
		else if (!strcmp(key, "open"))
			error = settings_bool(&reading, key, value, &port->is_open);
		else if (!strcmp(key, "mac"))
			error = get_mac(key, value, policy->mac);
		else if (!strcmp(key, "uplink"))
			error = get_uplink(key, value, port->uplink);
		else if (!strcmp(key, "check_source"))
			error = get_flag(key, value, RVS_CHECK_SOURCE, true, &policy->flags);
		else if (!strcmp(key, "learning"))
			error = get_flag(key, value, RVS_NO_LEARNING, false, &policy->flags);
		else if (!strcmp(key, "link_local"))
			error = get_flag(key, value, RVS_FORWARD_LINK_LOCAL, true, &policy->flags);
		else if (!strcmp(key, "offloads"))
			error = get_flag(key, value, RVIF_F_CSUM | RVIF_F_TSO4 | RVIF_F_TSO6, true,
					 &policy->features);
		else if (!strcmp(key, "max_learned"))
			error = get_number(key, value, 0, 1000000, &policy->max_learned);
		else if (!strcmp(key, "mbps"))
			error = get_number(key, value, 0, 10000000, &policy->mbps);
		else if (!strcmp(key, "static"))
			error = get_statics(value, port);
		else
			error = read_rule(key, value, policy);
		if (error > 0)
			error = wrong("unknown key \"%s\" of a port", key);
	}
	return error ? error : check_open(port);
}

/* Adds the VLANs of a port; number 0 stands for untagged. */
static void add_vlans(const struct rvs_policy *policy, uint64_t vlans[VLANS_WORDS])
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < VLANS_WORDS; i++) {
		vlans[i] |= policy->trunk[i];
		any |= policy->trunk[i];
	}
	if (policy->vlan || !any)
		vlans[policy->vlan / 64] |= 1ull << policy->vlan % 64;
}

/* Tells whether two ports share no VLAN, so that both may have the same address. */
static bool are_apart(const struct port_config *a, const struct port_config *b)
{
	uint64_t of_a[VLANS_WORDS] = {0}, of_b[VLANS_WORDS] = {0}, both = 0;

	add_vlans(&a->policy, of_a);
	add_vlans(&b->policy, of_b);
	for (uint32_t i = 0; i < VLANS_WORDS; i++)
		both |= of_a[i] & of_b[i];
	return !both;
}

uint32_t config_vlans(const struct config *config)
{
	uint64_t vlans[VLANS_WORDS] = {0};

	for (uint32_t i = 0; i < config->port_count; i++)
		add_vlans(&config->port[i].policy, vlans);
	vlans[0] &= ~1ull;
	return vlans_count(vlans);
}

/* Tells whether a port has this address, as its own or as a static one. */
static bool has_mac(const struct port_config *port, const uint8_t mac[6])
{
	if (!memcmp(port->policy.mac, mac, 6))
		return true;
	for (uint32_t i = 0; i < port->static_count; i++)
		if (!memcmp(port->statics[i], mac, 6))
			return true;
	return false;
}

static int check_mac(const struct port_config *a, const struct port_config *b, const uint8_t mac[6])
{
	char text[MAC_TEXT_SIZE];

	if (!rvif_mac_is_station(mac) || !has_mac(b, mac) || are_apart(a, b))
		return 0;
	mac_text(mac, text);
	return wrong("%s is an address of port \"%s\" and of port \"%s\"", text, b->name, a->name);
}

/* Checks what two ports must not have in common. */
static int check_pair(const struct port_config *a, const struct port_config *b)
{
	if (!strcmp(a->name, b->name))
		return wrong("two ports are called \"%s\"", a->name);
	if (a->ticket_file[0] && !strcmp(a->ticket_file, b->ticket_file))
		return wrong("ports \"%s\" and \"%s\" have the same ticket_file %s", b->name,
			     a->name, a->ticket_file);
	if (a->uplink[0] && !strcmp(a->uplink, b->uplink))
		return wrong("ports \"%s\" and \"%s\" have the same uplink %s", b->name, a->name,
			     a->uplink);
	for (uint32_t i = 0; i < a->static_count; i++)
		if (check_mac(a, b, a->statics[i]))
			return -1;
	return check_mac(a, b, a->policy.mac);
}

/*
 * Warns of a port that reaches no other one. It is not an error, because other ports may get their
 * VLANs later. A network of one port gets no warning, because it has no other ports yet.
 */
static void warn_of_lonely(const struct config *config)
{
	for (uint32_t i = 0; i < config->port_count && config->port_count > 1; i++) {
		const struct port_config *port = &config->port[i];
		bool is_alone = true;

		for (uint32_t k = 0; k < config->port_count && is_alone; k++) {
			const struct port_config *other = &config->port[k];

			is_alone = k == i || are_apart(port, other) ||
				   (port->policy.flags & other->policy.flags & RVS_ISOLATED);
		}
		if (is_alone)
			wrong("port \"%s\" reaches no other one: none is in its VLANs, or they are "
			      "all isolated",
			      port->name);
	}
}

static int read_ports(json_object *array, struct config *config)
{
	size_t count =
		json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;

	if (!count || count > MAX_PORTS)
		return wrong("\"ports\" is no list of 1 to %d ports", MAX_PORTS);
	config->port_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		struct port_config *port = &config->port[i];

		reading.part = "port";
		reading.number = i + 1;
		snprintf(port->name, sizeof(port->name), "%zu", i + 1);
		if (read_port(json_object_array_get_idx(array, i), port))
			return -1;
		for (size_t k = 0; k < i; k++)
			if (check_pair(port, &config->port[k]))
				return -1;
	}
	reading.part = NULL;
	warn_of_lonely(config);
	return 0;
}

static int read_all(json_object *root, struct config *config)
{
	int error = 0;

	json_object_object_foreach(root, key, value)
	{
		if (error)
			break;
		if (!strcmp(key, "export"))
			error = settings_text(&reading, key, value, config->export_name,
					      sizeof(config->export_name));
		else if (!strcmp(key, "queues"))
			error = get_number(key, value, 1, RVIF_MAX_QUEUES, &config->queues);
		else if (!strcmp(key, "port_mib"))
			error = get_number(key, value, 1, 256, &config->port_mib);
		else if (!strcmp(key, "max_ports"))
			error = get_number(key, value, 1, MAX_PORTS, &config->max_ports);
		else if (!strcmp(key, "open_ports_per_vm"))
			error = get_number(key, value, 1, MAX_PORTS, &config->open_ports_per_vm);
		else if (!strcmp(key, "max_age"))
			error = get_number(key, value, 1, 1000000, &config->max_age);
		else if (!strcmp(key, "limit_us"))
			error = get_number(key, value, 100, 10000000, &config->limit_us);
		else if (!strcmp(key, "suspend_us"))
			error = get_number(key, value, 1000, 60000000, &config->suspend_us);
		else if (!strcmp(key, "ports"))
			error = read_ports(value, config);
		else
			error = wrong("unknown key \"%s\"", key);
	}
	if (!error && !config->port_count)
		error = wrong("there are no \"ports\"");
	if (!error && config->max_ports && config->max_ports < config->port_count)
		error = wrong("\"max_ports\": %u are less than the %u that there are",
			      config->max_ports, config->port_count);
	return error;
}

int config_read(const char *file, struct config *config)
{
	json_object *root;
	int error;

	*config = (struct config){
		.export_name = "vmnet",
		.queues = 8,
		.port_mib = 64,
		.open_ports_per_vm = 1,
		.max_age = 300,
		.limit_us = 20000,
		.suspend_us = 100000,
	};
	reading.file = file;
	reading.part = NULL;
	root = settings_read(&reading, MOST_MIB);
	if (!root)
		return -1;
	error = read_all(root, config);
	json_object_put(root);
	return error;
}

uint32_t config_room(const struct config *config)
{
	const uint32_t more = config->port_count + SPARE_PORTS;

	if (config->max_ports)
		return config->max_ports;
	return more < MAX_PORTS ? more : MAX_PORTS;
}

uint32_t config_ports(const struct config *config)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->port_count; i++)
		count += config_has(config, i + 1);
	return count;
}

uint32_t config_place(const struct config *config, const char *name)
{
	for (uint32_t place = 1; place <= config->port_count; place++)
		if (!strcmp(config->port[place - 1].name, name))
			return place;
	return 0;
}

int config_add(struct config *config, uint32_t place, json_object *object)
{
	struct port_config port = {.is_open = false};

	reading.file = reading.part = NULL;
	if (read_port(object, &port))
		return -1;
	if (!port.name[0])
		return wrong("the port has no \"name\"");
	for (uint32_t i = 0; i < config->port_count; i++)
		if (check_pair(&port, &config->port[i]))
			return -1;
	if (!place)
		return wrong("there is room for %u ports only; see \"max_ports\"",
			     config->port_count);
	config->port[place - 1] = port;
	return 0;
}
