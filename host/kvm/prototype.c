// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares KVM's functions with the prototypes that this module knows. The functions are found by
 * name, and a name may have other arguments in another kernel. The kernel's type information (BTF
 * in sysfs) tells the arguments. A function with another prototype is neither hooked nor called.
 *
 * A tested kernel may lack this information. An untested kernel is accepted if all functions have
 * the right prototypes. The administrator gets a notice, because types do not tell what a function
 * does (docs/porting.md).
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/utsname.h>

#include <elisa/prototype.h>

#include "base/base.h"
#include "kvm/compat.h"
#include "kvm/kvm.h"

#define TYPES	  "/sys/kernel/btf/"
#define TYPES_MAX (64 << 20)

struct types {
	struct elisa_btf btf;
	void *data;
	u32 *at;
};

/* Frees types, also half-read ones. */
static void types_free(struct types *types)
{
	kvfree(types->at);
	kvfree(types->data);
}

/* Reads @size bytes from the file's begin. */
static int read_all(struct file *file, void *data, size_t size)
{
	loff_t at = 0;
	ssize_t got;

	while (at < size) {
		got = kernel_read(file, data + at, size - at, &at);
		if (got <= 0)
			return got ?: -EIO;
	}
	return 0;
}

/*
 * Reads a module's types or the kernel's. A module's types refer to those of @base. After an error
 * there are no types to check, and the caller calls types_free(). Sleeps.
 */
static int types_read(struct types *types, const char *path, const struct elisa_btf *base)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	loff_t size;
	int r = -ENOMEM;

	if (IS_ERR(file))
		return PTR_ERR(file);
	size = i_size_read(file_inode(file));
	if (size > 0 && size <= TYPES_MAX)
		types->data = kvmalloc(size, GFP_KERNEL);
	if (types->data)
		r = read_all(file, types->data, size);
	fput(file);
	if (r)
		return r;
	if (!elisa_btf_open(&types->btf, types->data, size, base))
		return -EINVAL;
	types->at = kvmalloc_array(types->btf.count, sizeof(u32), GFP_KERNEL);
	if (!types->at)
		return -ENOMEM;
	elisa_btf_index(&types->btf, types->at);
	return 0;
}

static const struct known {
	const char *module, *function, *prototype;
} known[] = {
#define KNOWN(id, module, function, prototype) {module, function, prototype},
	ELISA_KVM_HOOKS(KNOWN) ELISA_KVM_CALLS(KNOWN)
#undef KNOWN
};

/*
 * Compares all known functions of @module. Returns 0; -EOPNOTSUPP if a function has another
 * prototype; or else -ENOENT if the types lack a function.
 */
static int compare(const struct elisa_btf *btf, const char *module)
{
	char found[ELISA_PROTOTYPE_MAX];
	unsigned int i;
	int r = 0;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].module, module))
			continue;
		if (!elisa_prototype(btf, known[i].function, found)) {
			pr_warn("the kernel's types (BTF) say nothing of \"%s:%s\"\n", module,
				known[i].function);
			r = r ?: -ENOENT;
		} else if (!elisa_prototype_is(found, known[i].prototype)) {
			pr_err("\"%s:%s\" of this KVM is \"%s\", and not \"%s\": "
			       "kernel not supported\n",
			       module, known[i].function, found, known[i].prototype);
			r = -EOPNOTSUPP;
		}
	}
	return r;
}

/* Reads a module's types and compares its functions. Returns as compare(). */
static int check_module(const struct elisa_btf *kernel, const char *module)
{
	struct types types = {};
	char path[sizeof(TYPES) + 16];
	int r;

	snprintf(path, sizeof(path), TYPES "%s", module);
	r = types_read(&types, path, kernel);
	r = r ? -ENOENT : compare(&types.btf, module);
	types_free(&types);
	return r;
}

/* Compares the functions of kvm and kvm_intel. A wrong prototype outweighs missing types. */
static int check_all(void)
{
	struct types kernel = {};
	int r, intel;

	r = types_read(&kernel, TYPES "vmlinux", NULL) ? -ENOENT : 0;
	if (!r) {
		r = check_module(&kernel.btf, "kvm");
		intel = check_module(&kernel.btf, "kvm_intel");
		if (!r || intel == -EOPNOTSUPP)
			r = intel;
	}
	types_free(&kernel);
	return r;
}

/* Decides whether this kernel is accepted, and says why. Runs when the module is loaded. */
int eh_prototypes_check(void)
{
	const char *release = init_utsname()->release;
	int r = check_all();

	if (r == -EOPNOTSUPP)
		return r;
	if (elisa_kernel_is_tested(release)) {
		pr_info("KVM's functions are %s\n",
			r ? "those of a tested kernel (no types to check them by)" :
			    "what the kernel's types should say");
		return 0;
	}
	if (r) {
		pr_err("kernel %s was not tested with this module, and has no types (BTF) of "
		       "all functions to check\n",
		       release);
		return -EOPNOTSUPP;
	}
	pr_notice("kernel %s was not tested with this module; KVM's functions are those it knows\n",
		  release);
	return 0;
}
