/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a shared object into an export: reads the file, lays it out, maps its pages. If the file is
 * refused, nothing of it may stay in the export.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <elf.h>
#include <elisa/extra.h>
#include "../internal.h"
#include "elf_image.h"

struct elisa_extra_image {
	struct elisa_export *export_;
	uint64_t offset;
	struct elf_image elf;
	struct elisa_names names;
};

static size_t run_of_pages(const struct elf_image *elf, size_t first)
{
	size_t end = first + 1;

	while (end < elf->size / ELISA_PAGE_SIZE && elf->prot[end] == elf->prot[first])
		end++;
	return end - first;
}

static void unmap_pages(const struct elisa_extra_image *image, size_t end)
{
	size_t run;

	for (size_t page = 0; page < end; page += run) {
		run = run_of_pages(&image->elf, page);
		if (image->elf.prot[page])
			elisa_export_unmap(image->export_,
					   image->offset + (uint64_t)page * ELISA_PAGE_SIZE,
					   run * ELISA_PAGE_SIZE);
	}
}

/* Unmaps the pages before @end after a failure. Unmapping may set another text, so the text of the
 * failure is copied before. */
static int undo_map(const struct elisa_extra_image *image, size_t end, int error)
{
	struct elisa *handle = elisa_export_handle(image->export_);
	char text[ELISA_TEXT_SIZE];

	strncpy(text, elisa_error(handle), sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	unmap_pages(image, end);
	return elisa_fail_text(handle, -error, "%s", text);
}

static int map_pages(const struct elisa_extra_image *image)
{
	const struct elf_image *elf = &image->elf;
	size_t run;

	for (size_t page = 0; page < elf->size / ELISA_PAGE_SIZE; page += run) {
		void *memory = elf->memory + page * ELISA_PAGE_SIZE;
		int ret;

		run = run_of_pages(elf, page);
		if (!elf->prot[page])
			continue;
		ret = elisa_export_map(image->export_,
				       image->offset + (uint64_t)page * ELISA_PAGE_SIZE, memory,
				       run * ELISA_PAGE_SIZE, elf->prot[page]);
		if (ret < 0)
			return undo_map(image, page, ret);
		/* the page is pinned by now, so this protects only against mistakes of the
		 * manager's own code */
		if (!(elf->prot[page] & ELISA_PROT_WRITE))
			mprotect(memory, run * ELISA_PAGE_SIZE, PROT_READ);
	}
	return 0;
}

/* Checks the object against an export that declares general registers only: calls of such an export
 * neither save nor clear other registers. */
static int check_registers(const struct elisa_extra_image *image, const char *what)
{
	static const uint32_t general = 1u << 0;
	struct elisa *handle = elisa_export_handle(image->export_);

	if (!(elisa_export_flags(image->export_) & ELISA_EXPORT_GENERAL_REGS))
		return 0;
	if (!image->elf.has_features)
		return elisa_fail_text(
			handle, ENOEXEC,
			"load %s: the export declares general registers only, and nothing says that "
			"the object keeps to them; build all of it with -mgeneral-regs-only "
			"-Wa,-mx86-used-note=yes (GNU assembler)",
			what);
	if (image->elf.features & ~general)
		return elisa_fail_text(
			handle, ENOEXEC,
			"load %s: the export declares general registers only, and the object uses "
			"vector or x87 registers (features %#x); build all of it with "
			"-mgeneral-regs-only, or do not declare it",
			what, image->elf.features);
	return 0;
}

/* Returns the name of the function that contains @offset of the object area, or NULL. *from: where
 * the function begins. */
static const char *function_at(const struct elisa_names *names, uint64_t offset, uint64_t *from)
{
	const struct elisa_extra_image *image =
		(const void *)((const char *)names - offsetof(struct elisa_extra_image, names));

	for (size_t i = 0; i < image->elf.symbol_count; i++) {
		const struct elf_symbol *symbol = &image->elf.symbols[i];

		*from = image->offset + symbol->at;
		if (symbol->type == STT_FUNC && offset - *from < symbol->size)
			return symbol->name;
	}
	return NULL;
}

static int load(struct elisa_export *export_, const char *what, const void *data, size_t size,
		uint64_t offset, struct elisa_extra_image **made)
{
	struct elisa *handle = elisa_export_handle(export_);
	struct elisa_extra_image *image;
	char text[ELISA_TEXT_SIZE / 2] = "";
	int ret;

	if (offset % ELISA_PAGE_SIZE || offset >= ELISA_OBJECT_SIZE)
		return elisa_fail_text(
			handle, EINVAL,
			"load %s: offset %#llx is unaligned or outside of the object "
			"area; give a multiple of %d below %#llx",
			what, (unsigned long long)offset, ELISA_PAGE_SIZE, ELISA_OBJECT_SIZE);
	image = calloc(1, sizeof(*image));
	if (!image)
		return elisa_fail_text(handle, ENOMEM, "load %s: out of memory; free some", what);
	image->export_ = export_;
	image->offset = offset;
	ret = elf_image_create(&image->elf, data, size, ELISA_OBJECT_BASE + offset, text,
			       sizeof(text));
	if (ret < 0) {
		elisa_fail_text(handle, -ret, "load %s: %s", what, text);
		goto err_free;
	}
	ret = check_registers(image, what);
	if (!ret)
		ret = map_pages(image);
	if (ret < 0)
		goto err_destroy;
	image->names.at = function_at;
	elisa_names_add(export_, &image->names);
	*made = image;
	return 0;

err_destroy:
	elf_image_destroy(&image->elf);
err_free:
	free(image);
	return ret;
}

static int check_load(struct elisa_export *export_, const void *from,
		      struct elisa_extra_image **made)
{
	if (!export_ || !from || !made)
		return elisa_fail_text(
			export_ ? elisa_export_handle(export_) : NULL, EINVAL,
			"load: the export, the file or made is NULL; give all three");
	*made = NULL;
	return 0;
}

ELISA_PUBLIC int elisa_extra_load_memory(struct elisa_export *export_, const void *data,
					 size_t size, uint64_t offset,
					 struct elisa_extra_image **made)
{
	int ret = check_load(export_, data, made);

	return ret < 0 ? ret : load(export_, "object", data, size, offset, made);
}

/* Reads the whole file. It is not mapped, because a file that shrinks meanwhile must not raise
 * SIGBUS. */
static int read_whole(int fd, size_t size, uint8_t *data)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, data + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -ENODATA;
		done += (size_t)got;
	}
	return 0;
}

static int read_file(struct elisa *handle, const char *file, uint8_t **data, size_t *size)
{
	struct stat info;
	int ret = 0;
	int fd;

	*data = NULL;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return elisa_fail_text(handle, errno, "load '%.200s': cannot open it: %s", file,
				       strerrordesc_np(errno));
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		ret = elisa_fail_text(
			handle, EINVAL,
			"load '%.200s': not an ordinary file (mode %o); give a shared "
			"object",
			file, info.st_mode);
		goto out;
	}
	if (info.st_size > (off_t)ELISA_EXTRA_FILE_MAX) {
		ret = elisa_fail_text(handle, EFBIG,
				      "load '%.200s': %lld bytes, the limit is %u; strip it", file,
				      (long long)info.st_size, ELISA_EXTRA_FILE_MAX);
		goto out;
	}
	*size = (size_t)info.st_size;
	*data = malloc(*size + 1);
	ret = *data ? read_whole(fd, *size, *data) : -ENOMEM;
	if (ret < 0)
		elisa_fail_text(handle, -ret, "load '%.200s': cannot read %zu bytes: %s", file,
				*size, strerrordesc_np(-ret));
out:
	close(fd);
	return ret;
}

ELISA_PUBLIC int elisa_extra_load(struct elisa_export *export_, const char *file, uint64_t offset,
				  struct elisa_extra_image **made)
{
	char what[216];
	uint8_t *data;
	size_t size = 0;
	int ret = check_load(export_, file, made);

	if (ret < 0)
		return ret;
	ret = read_file(elisa_export_handle(export_), file, &data, &size);
	if (!ret) {
		snprintf(what, sizeof(what), "'%.200s'", file);
		ret = load(export_, what, data, size, offset, made);
	}
	free(data);
	return ret;
}

static const struct elf_symbol *find(struct elisa_extra_image *image, const char *name)
{
	const struct elf_symbol *symbol = name ? elf_image_symbol(&image->elf, name) : NULL;

	if (!symbol)
		elisa_fail_text(elisa_export_handle(image->export_), ENOENT,
				"the object does not define the symbol '%.80s'; define it, not "
				"static and not hidden",
				name ? name : "(NULL)");
	return symbol;
}

ELISA_PUBLIC int elisa_extra_symbol(struct elisa_extra_image *image, const char *name,
				    uint64_t *offset)
{
	const struct elf_symbol *symbol;

	if (!image || !offset)
		return elisa_fail_text(image ? elisa_export_handle(image->export_) : NULL, EINVAL,
				       "find a symbol: the image or offset is NULL; load an object "
				       "first");
	symbol = find(image, name);
	if (!symbol)
		return -ENOENT;
	*offset = image->offset + symbol->at;
	return 0;
}

ELISA_PUBLIC void *elisa_extra_address(struct elisa_extra_image *image, const char *name)
{
	const struct elf_symbol *symbol = image ? find(image, name) : NULL;

	return symbol ? image->elf.memory + symbol->at : NULL;
}

ELISA_PUBLIC uint64_t elisa_extra_size(const struct elisa_extra_image *image)
{
	return image->elf.size;
}

ELISA_PUBLIC int elisa_extra_publish(struct elisa_extra_image *image, const char *function)
{
	const struct elf_symbol *symbol;

	if (!image)
		return elisa_fail_text(NULL, EINVAL,
				       "publish: the image is NULL; load an object first");
	symbol = find(image, function);
	if (!symbol)
		return -ENOENT;
	if (symbol->type != STT_FUNC ||
	    !(image->elf.prot[symbol->at / ELISA_PAGE_SIZE] & ELISA_PROT_EXEC))
		return elisa_fail_text(elisa_export_handle(image->export_), EINVAL,
				       "publish: the symbol '%.80s' is not a function (ELF type "
				       "%u); name the entry function",
				       function, symbol->type);
	return elisa_export_publish(image->export_, image->offset + symbol->at);
}

ELISA_PUBLIC void elisa_extra_unload(struct elisa_extra_image *image)
{
	if (!image)
		return;
	elisa_names_remove(&image->names);
	elf_image_destroy(&image->elf);
	free(image);
}
