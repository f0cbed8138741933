/* SPDX-License-Identifier: Apache-2.0 */
/* Options that say which users may open a file that a program creates. */
#ifndef COMMON_ACCESS_OPTIONS_H
#define COMMON_ACCESS_OPTIONS_H

#include <rvif/driver.h>
#include "options.h"

#define ACCESS_MODE_MUST "an octal mode from 1 to 0777"

option_reader option_mode;  /* struct rvif_access */
option_reader option_group; /* struct rvif_access */

#endif
