// SPDX-License-Identifier: GPL-2.0-only
/* For the attack "livepatch": replaces KVM's exit handler. No VM would work with it. */
#define FUNCTION "vmx_handle_exit"
#include "patch.h"
