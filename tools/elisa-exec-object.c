/* SPDX-License-Identifier: Apache-2.0 */
/* Loads an application, for both launchers. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "elisa-exec.h"

/* The object stays loaded until the process ends. */
void *load_object(const char *file)
{
	void *object;
	char *path = NULL;

	/* without a slash, dlopen() would search the system's libraries instead */
	if (!strchr(file, '/') && asprintf(&path, "./%s", file) >= 0)
		file = path;
	object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	free(path);
	if (!object)
		fprintf(stderr, "elisa-exec: cannot load the application: %s\n", dlerror());
	return object;
}
