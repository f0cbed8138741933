/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests may do, and how much of each space their items may take, as the configuration says.
 * Both can change while guests use the store. Everything else of a configuration is built into the
 * store, or into places that guests have. Each such key is named with both values, and then nothing
 * of the file is applied.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "daemon.h"
#include "output.h"

static bool may_store(const struct share_config *share)
{
	return share->rights & (KV_MAY_WRITE | KV_MAY_OWN);
}

/* Returns the quota of a place that has none configured: an equal part of the space for each place
 * that may store in it. */
static uint64_t equal_part(const struct config *config, uint32_t space)
{
	uint64_t sharers = 0;

	for (uint32_t place = 0; place < config->place_count; place++)
		sharers += may_store(&config->place[place].share[space]);
	return (config->space[space].mib << 20) / (sharers ? sharers : 1);
}

void guests_allow(struct daemon *d)
{
	const struct config *config = &d->config;

	for (uint32_t space = 0; space < config->space_count; space++)
		for (uint32_t place = 0; place < config->place_count; place++) {
			const struct share_config *share = &config->place[place].share[space];
			const uint64_t bytes = !may_store(share) ? 0 :
					       share->mib	 ? share->mib << 20 :
								   equal_part(config, space);

			kv_store_quota(d->store, place, space, bytes,
				       may_store(share) ? share->items : 0);
			kv_store_rights(d->store, place, space, share->rights);
		}
}

/* ---------------------------------------------------------------------------------- reload */

struct comparison {
	const char *file, *part, *name; /* part NULL: none */
	bool differs;
};

static void differs(struct comparison *c, const char *key, const char *is, const char *new)
{
	c->differs = true;
	output_print(STDERR_FILENO,
		     "elisa-kv: %s: %s%s%s\"%s\" needs a restart to become %s; it is %s\n", c->file,
		     c->part ? c->part : "", c->part ? c->name : "", c->part ? ": " : "", key,
		     *new ? new : "none", *is ? is : "none");
}

static void compare_numbers(struct comparison *c, const char *key, uint64_t is, uint64_t new)
{
	char of_is[24], of_new[24];

	if (is == new)
		return;
	snprintf(of_is, sizeof(of_is), "%llu", (unsigned long long)is);
	snprintf(of_new, sizeof(of_new), "%llu", (unsigned long long)new);
	differs(c, key, of_is, of_new);
}

static void compare_texts(struct comparison *c, const char *key, const char *is, const char *new)
{
	if (strcmp(is, new))
		differs(c, key, is, new);
}

static void compare_spaces(struct comparison *c, const struct config *is, const struct config *new)
{
	compare_numbers(c, "spaces", is->space_count, new->space_count);
	for (uint32_t i = 0; i < is->space_count && is->space_count == new->space_count; i++) {
		c->part = "space ";
		c->name = is->space[i].name;
		compare_texts(c, "name", is->space[i].name, new->space[i].name);
		compare_numbers(c, "mib", is->space[i].mib, new->space[i].mib);
		compare_numbers(c, "cell", is->space[i].cell, new->space[i].cell);
	}
	c->part = NULL;
}

static void compare_places(struct comparison *c, const struct config *is, const struct config *new)
{
	compare_numbers(c, "places", is->place_count, new->place_count);
	for (uint32_t i = 0; i < is->place_count && is->place_count == new->place_count; i++) {
		c->part = "place ";
		c->name = is->place[i].name;
		compare_texts(c, "name", is->place[i].name, new->place[i].name);
		compare_texts(c, "ticket_file", is->place[i].ticket_file,
			      new->place[i].ticket_file);
	}
	c->part = NULL;
}

bool reload_is_possible(const struct config *is, const struct config *new, const char *file)
{
	struct comparison c = {.file = file};

	compare_texts(&c, "export", is->export_name, new->export_name);
	compare_numbers(&c, "vcpus", is->vcpus, new->vcpus);
	compare_numbers(&c, "open_places_per_vm", is->open_places_per_vm, new->open_places_per_vm);
	compare_numbers(&c, "limit_us", is->limit_us, new->limit_us);
	compare_numbers(&c, "suspend_us", is->suspend_us, new->suspend_us);
	compare_spaces(&c, is, new);
	compare_places(&c, is, new);
	if (c.differs)
		output_print(STDERR_FILENO, "elisa-kv: %s: nothing of it was taken\n", file);
	return !c.differs;
}
