/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF programs on functions of kernel modules, as monitoring agents have them; without libbpf,
 * which a static program for the emulated machine would bring along.
 */
#ifndef BPF_LOAD_H
#define BPF_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_program {
	int fd;
	int link; /* -1: not attached */
};

/* A program that does nothing, for the entry or the exit of a function; not attached. */
struct bpf_program bpf_new(const char *module, const char *function, bool at_exit);
int bpf_attach(struct bpf_program *program); /* 0 or -errno */
void bpf_detach(struct bpf_program *program);
void bpf_count_runs(void); /* of all programs from now on, as long as this process lives */
uint64_t bpf_runs(const struct bpf_program *program);

#endif
