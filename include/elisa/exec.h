/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application's shared object gives to elisa-exec(1): callbacks for the manager's and the
 * guest's side, in one variable named elisa_app. Unused callbacks are NULL.
 */
#ifndef ELISA_EXEC_H
#define ELISA_EXEC_H

#include <elisa/elisa.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ELISA_APP_VERSION 1

struct elisa_app {
	uint32_t version; /* ELISA_APP_VERSION */
	/* Bytes of the exchange buffer that each guest attaches with; a
	 * multiple of the page size. */
	uint32_t exchange_size;
	/*
	 * Manager: map and publish. offset: where the application may begin in the object area
	 * (--offset). argv[0] is the application's file. 0, or -errno:
	 * elisa-exec prints elisa_error() and ends.
	 */
	int (*manager_init)(struct elisa_export *export_, uint64_t offset, int argc, char **argv);
	/* Manager: something happened to an attachment. */
	void (*manager_event)(struct elisa_export *export_, const struct elisa_event *event);
	/* Manager: before the export is destroyed. */
	void (*manager_exit)(struct elisa_export *export_);
	/* Guest: attached; the value is elisa-exec's exit status. */
	int (*guest_main)(struct elisa_attachment *attachment, int argc, char **argv);
};

extern const struct elisa_app elisa_app;

#ifdef __cplusplus
}
#endif

#endif
