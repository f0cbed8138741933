/* SPDX-License-Identifier: Apache-2.0 */
/* What elisa-exec and elisa-exec-prototype share. */
#ifndef ELISA_EXEC_TOOL_H
#define ELISA_EXEC_TOOL_H

/* Prints a message and gives the exit status 2. */
int usage_error(const char *what, const char *value);
/* dlopen() of a file, which need not have a slash in its name. NULL after a message. */
void *load_object(const char *file);

#endif
