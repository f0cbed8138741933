/* SPDX-License-Identifier: Apache-2.0 */
/* What elisa-exec and elisa-exec-prototype share. */
#ifndef ELISA_EXEC_TOOL_H
#define ELISA_EXEC_TOOL_H

/* Loads a file with dlopen(); its name needs no slash. Returns NULL after a message. */
void *load_object(const char *file);

#endif
