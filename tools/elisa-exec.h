/* SPDX-License-Identifier: Apache-2.0 */
/* What elisa-exec and elisa-exec-prototype share. */
#ifndef ELISA_EXEC_TOOL_H
#define ELISA_EXEC_TOOL_H

/* dlopen() of a file, which need not have a slash in its name. NULL after a message. */
void *load_object(const char *file);

#endif
