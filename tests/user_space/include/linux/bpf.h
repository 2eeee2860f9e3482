/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's header, but a program's context has room for this machine's pointers. */
#ifndef STEM_USER_SPACE_LINUX_BPF_H
#define STEM_USER_SPACE_LINUX_BPF_H

#include_next <linux/bpf.h>

#include "tests/user_space/helpers.h"

#define xdp_md user_space_context

#endif
