/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads BPF programs on functions of kernel modules, as monitoring agents have them. It does not
 * use libbpf, which a static program for the emulated machine would have to contain.
 */
#ifndef BPF_LOAD_H
#define BPF_LOAD_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_program {
	int fd;
	int link; /* -1: not attached */
};

/*
 * Loads a program that does nothing, for the entry or the exit of a function. Does not attach it.
 */
struct bpf_program bpf_new(const char *module, const char *function, bool at_exit);
int bpf_attach(struct bpf_program *program); /* 0 or -errno */
void bpf_detach(struct bpf_program *program);
void bpf_count_runs(void); /* counts the runs of all programs, while this process lives */
uint64_t bpf_runs(const struct bpf_program *program);

#endif
