/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR Apache-2.0 */
/* The release that the modules and programs name; meson.build has it too, which a test compares. */
#ifndef ELISA_RELEASE_H
#define ELISA_RELEASE_H

#define ELISA_RELEASE "0.1.0"

#endif
