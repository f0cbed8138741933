// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf_load.h"
#include "harness.h"

static int bpf(int command, union bpf_attr *attr)
{
	int r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

/* ---- the types of the kernel and of a module */

struct types {
	uint8_t *data;
	struct btf_header *header;
	const struct types *base; /* a module's type ids follow the kernel's */
	uint32_t first, count;
};

static struct types types_read(const char *name, const struct types *base)
{
	struct types types = {.base = base, .first = base ? base->first + base->count : 1};
	size_t size = 0, room = 8 << 20;
	char path[64];
	ssize_t got;
	int fd;

	sprintf(path, "/sys/kernel/btf/%s", name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0); /* the machine needs --btf */
	types.data = malloc(room);
	while ((got = read(fd, types.data + size, room - size)) > 0)
		size += got;
	close(fd);
	types.header = (struct btf_header *)types.data;
	CHECK_EQ(types.header->magic, BTF_MAGIC);
	return types;
}

static struct btf_type *types_begin(const struct types *types)
{
	return (void *)(types->data + types->header->hdr_len + types->header->type_off);
}

static bool types_end(const struct types *types, struct btf_type *type)
{
	return (uint8_t *)type >= (uint8_t *)types_begin(types) + types->header->type_len;
}

/* Returns the next type. The size of a type depends on its kind. */
static struct btf_type *type_next(struct btf_type *type)
{
	uint32_t n = BTF_INFO_VLEN(type->info), size = 0;

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		size = 4;
		break;
	case BTF_KIND_ARRAY:
		size = sizeof(struct btf_array);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
	case BTF_KIND_ENUM64:
		size = 12 * n;
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_FUNC_PROTO:
		size = 8 * n;
		break;
	}
	return (void *)((uint8_t *)(type + 1) + size);
}

static const char *type_name(const struct types *types, uint32_t offset)
{
	uint32_t below = types->base ? types->base->header->str_len : 0;

	if (offset < below)
		return type_name(types->base, offset);
	return (char *)types->data + types->header->hdr_len + types->header->str_off + offset -
	       below;
}

static uint32_t function_type(const struct types *types, const char *function)
{
	struct btf_type *type = types_begin(types);
	uint32_t id;

	for (id = types->first; !types_end(types, type); id++, type = type_next(type))
		if (BTF_INFO_KIND(type->info) == BTF_KIND_FUNC &&
		    !strcmp(type_name(types, type->name_off), function))
			return id;
	printf("no type of %s\n", function);
	CHECK(false);
	return 0;
}

static const struct types *kernel_types(void)
{
	static struct types types;
	struct btf_type *type;

	if (types.data)
		return &types;
	types = types_read("vmlinux", NULL);
	for (type = types_begin(&types); !types_end(&types, type); type = type_next(type))
		types.count++;
	return &types;
}

static int types_fd(const char *module)
{
	union bpf_attr attr = {};
	int fd;

	while (!bpf(BPF_BTF_GET_NEXT_ID, &attr)) {
		struct bpf_btf_info info = {};
		char name[64] = "";
		union bpf_attr get = {.btf_id = attr.next_id};

		fd = bpf(BPF_BTF_GET_FD_BY_ID, &get);
		CHECK(fd >= 0);
		info.name = (uintptr_t)name;
		info.name_len = sizeof(name);
		get = (union bpf_attr){
			.info = {.bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info}};
		CHECK_EQ(bpf(BPF_OBJ_GET_INFO_BY_FD, &get), 0);
		if (info.kernel_btf && !strcmp(name, module))
			return fd;
		close(fd);
		attr.start_id = attr.next_id;
	}
	printf("no types of %s\n", module);
	CHECK(false);
	return -1;
}

/* ---- programs */

struct bpf_program bpf_new(const char *module, const char *function, bool at_exit)
{
	static char log[4096];
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct types types = types_read(module, kernel_types());
	struct bpf_program program = {.link = -1};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_TRACING,
		.insn_cnt = 2,
		.insns = (uintptr_t)code,
		.license = (uintptr_t) "GPL",
		.log_level = 1,
		.log_size = sizeof(log),
		.log_buf = (uintptr_t)log,
		.expected_attach_type = at_exit ? BPF_TRACE_FEXIT : BPF_TRACE_FENTRY,
		.attach_btf_id = function_type(&types, function),
		.attach_btf_obj_fd = types_fd(module),
	};

	program.fd = bpf(BPF_PROG_LOAD, &attr);
	if (program.fd < 0)
		printf("%s: %s\n", function, log);
	CHECK(program.fd >= 0);
	close(attr.attach_btf_obj_fd);
	free(types.data);
	return program;
}

int bpf_attach(struct bpf_program *program)
{
	union bpf_attr attr = {.raw_tracepoint.prog_fd = program->fd};
	int r = bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);

	if (r < 0)
		return r;
	program->link = r;
	return 0;
}

void bpf_detach(struct bpf_program *program)
{
	CHECK(program->link >= 0);
	close(program->link);
	program->link = -1;
}

void bpf_count_runs(void)
{
	union bpf_attr attr = {.enable_stats.type = BPF_STATS_RUN_TIME};

	CHECK(bpf(BPF_ENABLE_STATS, &attr) >= 0);
}

uint64_t bpf_runs(const struct bpf_program *program)
{
	struct bpf_prog_info info = {};
	union bpf_attr attr = {.info = {.bpf_fd = program->fd,
					.info_len = sizeof(info),
					.info = (uintptr_t)&info}};

	CHECK_EQ(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), 0);
	return info.run_cnt;
}
