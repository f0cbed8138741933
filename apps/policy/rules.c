/* SPDX-License-Identifier: Apache-2.0 */
/* A mistake of the administrator must not become a grant. So an unknown key, a rule that names no
 * VM, and a rule that gives nothing are refused. */
#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "settings.h"

#define MOST_MIB   1
#define MOST_RULES 4096 /* limit for a file */
#define MOST_NAMES 256	/* limit for a rule */
#define MOST_PAGES (1ull << 52)
#define TEXT_SIZE  1024

#define wrong(...) settings_wrong(settings, __VA_ARGS__)

bool rules_name_is_good(const char *name)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789._-";
	const size_t plain = strspn(name, good);

	return *name && strlen(name) < ELISA_NAME_SIZE &&
	       (!name[plain] || !strcmp(name + plain, "*"));
}

static int read_text(const struct settings *settings, const char *key, json_object *value,
		     char **text)
{
	char read[TEXT_SIZE];

	if (settings_text(settings, key, value, read, sizeof(read)))
		return -1;
	*text = strdup(read);
	return *text ? 0 : wrong("no memory");
}

static int read_path(const struct settings *settings, const char *key, json_object *value,
		     char **path)
{
	if (read_text(settings, key, value, path))
		return -1;
	return **path == '/' ? 0 : wrong("\"%s\": \"%s\" does not begin with '/'", key, *path);
}

/* Reads a number, or the name of a user or group of this host. */
static int read_id(const struct settings *settings, const char *key, json_object *value,
		   uint32_t *id)
{
	const bool is_group = !strcmp(key, "gid");
	uint64_t number = RULES_ANY_ID;
	char name[TEXT_SIZE];

	if (!json_object_is_type(value, json_type_string)) {
		if (settings_number(settings, key, value, 0, RULES_ANY_ID - 1, &number))
			return -1;
	} else if (settings_text(settings, key, value, name, sizeof(name))) {
		return -1;
	} else if (is_group) {
		const struct group *group = getgrnam(name);

		number = group ? group->gr_gid : RULES_ANY_ID;
	} else {
		const struct passwd *user = getpwnam(name);

		number = user ? user->pw_uid : RULES_ANY_ID;
	}
	*id = (uint32_t)number;
	return *id != RULES_ANY_ID ? 0 :
				     wrong("\"%s\": \"%s\" is no %s of this host", key, name,
					   is_group ? "group" : "user");
}

static int read_vm(const struct settings *settings, json_object *vm, struct rule *rule)
{
	if (!json_object_is_type(vm, json_type_object) || !json_object_object_length(vm))
		return wrong("\"vm\": %s is no object with at least one key",
			     json_object_to_json_string(vm));
	json_object_object_foreach(vm, key, value)
	{
		int error;

		if (!strcmp(key, "unit"))
			error = read_text(settings, key, value, &rule->unit);
		else if (!strcmp(key, "domain"))
			error = read_text(settings, key, value, &rule->domain);
		else if (!strcmp(key, "cgroup"))
			error = read_path(settings, key, value, &rule->cgroup);
		else if (!strcmp(key, "pidfile"))
			error = read_path(settings, key, value, &rule->pidfile);
		else if (!strcmp(key, "uid"))
			error = read_id(settings, key, value, &rule->uid);
		else if (!strcmp(key, "gid"))
			error = read_id(settings, key, value, &rule->gid);
		else
			error = wrong("\"vm\" has no key \"%s\"", key);
		if (error)
			return -1;
	}
	return 0;
}

/* Reads the names on which a rule gives one right, and adds them to the rule. */
static int read_names(const struct settings *settings, const char *key, json_object *names,
		      uint32_t right, struct rule *rule)
{
	const size_t count =
		json_object_is_type(names, json_type_array) ? json_object_array_length(names) : 0;
	struct elisa_host_grant *grants;

	if (!count || count > MOST_NAMES)
		return wrong("\"%s\": %s is no list of 1 to %d names", key,
			     json_object_to_json_string(names), MOST_NAMES);
	grants = realloc(rule->grants, (rule->count + count) * sizeof(*grants));
	if (!grants)
		return wrong("no memory");
	rule->grants = grants;
	for (size_t i = 0; i < count; i++) {
		struct elisa_host_grant *grant = &grants[rule->count];
		json_object *name = json_object_array_get_idx(names, i);

		*grant = (struct elisa_host_grant){.rights = right | ELISA_GRANT_POLICY};
		if (!json_object_is_type(name, json_type_string) ||
		    !rules_name_is_good(json_object_get_string(name)))
			return wrong("\"%s\": %s is no name: 1 to 63 of A-Z a-z 0-9 . _ - and "
				     "perhaps a * at the end",
				     key, json_object_to_json_string(name));
		strcpy(grant->name, json_object_get_string(name));
		rule->count++;
	}
	return 0;
}

struct terms {
	bool trusted_manager, allow_pcid, dirty_log;
	uint64_t max_pages;
};

static int read_key(const struct settings *settings, const char *key, json_object *value,
		    struct rule *rule, struct terms *terms)
{
	if (!strcmp(key, "comment"))
		return read_text(settings, key, value, &rule->comment);
	if (!strcmp(key, "vm"))
		return read_vm(settings, value, rule);
	if (!strcmp(key, "export"))
		return read_names(settings, key, value, ELISA_GRANT_EXPORT, rule);
	if (!strcmp(key, "attach"))
		return read_names(settings, key, value, ELISA_GRANT_ATTACH, rule);
	if (!strcmp(key, "trusted_manager"))
		return settings_bool(settings, key, value, &terms->trusted_manager);
	if (!strcmp(key, "allow_pcid"))
		return settings_bool(settings, key, value, &terms->allow_pcid);
	if (!strcmp(key, "dirty_log"))
		return settings_bool(settings, key, value, &terms->dirty_log);
	if (!strcmp(key, "max_pages"))
		return settings_number(settings, key, value, 1, MOST_PAGES, &terms->max_pages);
	return wrong("a rule has no key \"%s\"", key);
}

static int finish_rule(const struct settings *settings, struct rule *rule,
		       const struct terms *terms)
{
	bool exports = false;

	for (size_t i = 0; i < rule->count; i++) {
		struct elisa_host_grant *grant = &rule->grants[i];
		const bool is_export = grant->rights & ELISA_GRANT_EXPORT;

		exports |= is_export;
		grant->max_pages = terms->max_pages;
		grant->rights |= terms->allow_pcid ? ELISA_GRANT_ALLOW_PCID : 0;
		grant->rights |= terms->dirty_log ? ELISA_GRANT_DIRTY_LOG : 0;
		grant->rights |= terms->trusted_manager && is_export ? ELISA_GRANT_TRUSTED_MANAGER :
								       0;
	}
	if (!rule->unit && !rule->cgroup && !rule->domain && !rule->pidfile &&
	    rule->uid == RULES_ANY_ID && rule->gid == RULES_ANY_ID)
		return wrong("\"vm\" is missing: it says which VMs the rule matches");
	if (!rule->count)
		return wrong("the rule gives nothing: \"export\" and \"attach\" are missing");
	if (terms->trusted_manager && !exports)
		return wrong("\"trusted_manager\" is for a rule with \"export\"");
	return 0;
}

static int read_rule(struct settings *settings, json_object *from, struct rule *rule)
{
	struct terms terms = {0};

	*rule = (struct rule){.number = settings->number,
			      .uid = RULES_ANY_ID,
			      .gid = RULES_ANY_ID,
			      .file = strdup(settings->file)};
	if (!rule->file)
		return wrong("no memory");
	if (!json_object_is_type(from, json_type_object))
		return wrong("%s is no object", json_object_to_json_string(from));
	json_object_object_foreach(from, key, value)
	{
		if (read_key(settings, key, value, rule, &terms))
			return -1;
	}
	return finish_rule(settings, rule, &terms);
}

static int read_root(struct settings *settings, json_object *root, struct rules *rules)
{
	json_object *list = NULL;
	size_t count;
	void *more;

	json_object_object_foreach(root, key, value)
	{
		if (strcmp(key, "rules"))
			return wrong("unknown key \"%s\"", key);
		list = value;
	}
	if (!json_object_is_type(list, json_type_array))
		return wrong("\"rules\", a list, is missing");
	count = json_object_array_length(list);
	if (count > MOST_RULES)
		return wrong("more than %d rules", MOST_RULES);
	more = realloc(rules->rule, (rules->count + count + 1) * sizeof(*rules->rule));
	if (!more)
		return wrong("no memory");
	rules->rule = more;
	settings->part = "rule";
	for (size_t i = 0; i < count; i++) {
		settings->number = i + 1;
		if (read_rule(settings, json_object_array_get_idx(list, i),
			      &rules->rule[rules->count++]))
			return -1;
	}
	return 0;
}

static int read_file(struct rules *rules, const char *file, void (*say)(const char *what))
{
	struct settings settings = {.file = file, .say = say};
	json_object *root = settings_read(&settings, MOST_MIB);
	int error;

	if (!root)
		return -1;
	error = read_root(&settings, root, rules);
	json_object_put(root);
	rules->files++;
	return error;
}

static int is_ours(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && end && !strcmp(end, ".conf");
}

int rules_read(struct rules *rules, const char *directory, void (*say)(const char *what))
{
	const struct settings settings = {.file = directory, .say = say};
	struct dirent **entries;
	int count, error = 0;
	char *file;

	*rules = (struct rules){0};
	count = scandir(directory, &entries, is_ours, alphasort);
	if (count < 0)
		return settings_wrong(&settings, "%s", strerrordesc_np(errno));
	for (int i = 0; i < count; i++) {
		if (asprintf(&file, "%s/%s", directory, entries[i]->d_name) < 0)
			file = NULL;
		/* so that the messages name all files that are wrong */
		if (!file || read_file(rules, file, say))
			error = -1;
		free(file);
		free(entries[i]);
	}
	free(entries);
	if (error)
		rules_free(rules);
	return error;
}

void rules_free(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->rule[i];

		free(rule->file);
		free(rule->comment);
		free(rule->unit);
		free(rule->cgroup);
		free(rule->domain);
		free(rule->pidfile);
		free(rule->grants);
	}
	free(rules->rule);
	*rules = (struct rules){0};
}
