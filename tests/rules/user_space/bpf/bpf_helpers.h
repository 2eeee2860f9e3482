/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for libbpf's header where a kernel header is compiled for user space. */
#ifndef STEM_USER_SPACE_BPF_HELPERS_H
#define STEM_USER_SPACE_BPF_HELPERS_H

#include <linux/types.h>

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val)* name
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

enum libbpf_pin_type { LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME };

static void* bpf_map_lookup_elem(void* map, const void* key);
#define bpf_loop(steps, step, context, flags) user_space_loop(steps, step, context)

#endif
