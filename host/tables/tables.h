/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EPT and APT tables, and the pinned guest pages that they map. The layer writes the tables that a
 * CPU walks. It makes no decision about access. Its callers hold the locks that objects.h names.
 */
#ifndef ELISA_HOST_TABLES_H
#define ELISA_HOST_TABLES_H

#include "base/objects.h"

/* ---- memory.c: finds, pins and counts guest memory */
int eh_guest_hva(struct kvm_vcpu *kvm_vcpu, u64 gpa, unsigned long *hva,
		 struct eh_refusal *refusal);
int eh_check_order(u32 order, struct eh_refusal *refusal);
struct eh_run *eh_run_new(u32 count, u32 order);
int eh_run_pin(struct eh_vmm *vmm, u64 limit, struct kvm_vcpu *kvm_vcpu, const u64 *gpas,
	       struct eh_run *run, struct eh_refusal *refusal);
int eh_run_count_tables(struct eh_vmm *vmm, u64 limit, struct eh_run *run, u32 count,
			struct eh_refusal *refusal);
void eh_run_forget_tables(struct eh_vmm *vmm, struct eh_run *run, u32 count);
void eh_run_free(struct eh_vmm *vmm, struct eh_run *run);
bool eh_run_failed(const struct eh_run *run, u64 *at);
int eh_refuse_failed(const struct eh_run *run, const u64 *gpas, struct eh_refusal *refusal);

/* ---- table.c: EPT and APT pages of slots, attachments, contexts; ept.h has the formats */
void eh_tables_init(void);
void eh_tables_exit(void);
u64 eh_root_limit(void);
int eh_slot_prepare(u32 slot, u32 levels);
int eh_attachment_build(struct eh_attachment *attachment, u64 entry);
void eh_attachment_tables_free(struct eh_attachment *attachment);
int eh_context_build(struct eh_context *context);
void eh_context_free(struct eh_context *context);
u64 eh_context_calls(const struct eh_context *context);
void eh_context_link_object(struct eh_context *context, struct eh_export *export, u32 gib);
void eh_context_hide_object(struct eh_context *context);
u32 eh_context_pages(void);

/* ---- object.c: the EPT tables of an object */

/*
 * Pages that a request makes ready for tables, before it takes export->lock. Four are enough. A run
 * of ELISA_HC_MAP_PAGES lacks two page directories and two page tables at most. An unmapping splits
 * a page at each of its two ends, and a split takes a directory and a table at most.
 */
#define EH_READY_PAGES 4
struct eh_ready {
	u32 count;
	u64 *page[EH_READY_PAGES];
};

bool eh_ready_tables(struct eh_export *export, u64 offset, const struct eh_run *run,
		     struct eh_ready *ready);
bool eh_ready_split(struct eh_ready *ready);
void eh_ready_free(struct eh_ready *ready);
bool eh_export_takes(struct eh_export *export, const struct eh_run *run, u64 *offset);
bool eh_export_tables_make(struct eh_export *export, const struct eh_run *run,
			   struct eh_ready *ready);
void eh_export_tables_set(struct eh_export *export, const struct eh_run *run);
void eh_export_tables_sink(struct eh_export *export, const struct eh_run *run);
bool eh_export_tables_map(struct eh_export *export, u64 offset, u64 length);
bool eh_export_is_code(struct eh_export *export, u64 offset);
u64 eh_export_table_get(struct eh_export *export, u64 offset);
bool eh_export_split(struct eh_export *export, const struct eh_run *run, u64 offset,
		     struct eh_ready *ready);
u64 eh_export_tables_clear(struct eh_export *export, const struct eh_run *run, u64 *at, u64 end);
bool eh_export_tables_have(struct eh_export *export, const struct eh_run *run, u64 *at, u64 end);
void eh_export_table_free_shut(struct eh_export *export, u64 offset);
void eh_export_table_free(struct eh_export *export);
bool eh_sink_make(u64 *sink[EH_SINK_PAGES]);
void eh_sink_free(u64 *sink[EH_SINK_PAGES]);

#endif
