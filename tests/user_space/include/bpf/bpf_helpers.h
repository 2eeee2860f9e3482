/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for libbpf's header where the kernel programs are compiled for user space: the kernel's
 * helpers are those of tests/user_space/helpers.h, under names that libbpf does not have.
 */
#ifndef STEM_USER_SPACE_BPF_HELPERS_H
#define STEM_USER_SPACE_BPF_HELPERS_H

#include <linux/types.h>

#include "tests/user_space/helpers.h"

#define SEC(name) __attribute__((visibility("hidden")))
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val)* name
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))

enum libbpf_pin_type { LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME };

#define bpf_map_lookup_elem(map, key) user_space_lookup(map, key)
#define bpf_map_update_elem(map, key, value, flags) user_space_update(map, key, value, flags)
#define bpf_ringbuf_reserve(map, size, flags) user_space_reserve(map, size, flags)
#define bpf_ringbuf_submit(data, flags) user_space_submit(data, flags)
#define bpf_ktime_get_ns() user_space_time()
#define bpf_ktime_get_coarse_ns() user_space_coarse_time()
#define bpf_jiffies64() user_space_ticks()
#define bpf_redirect(ifindex, flags) user_space_redirect(ifindex, flags)
#define bpf_redirect_map(map, key, flags) user_space_redirect_map(map, key, flags)
#define bpf_xdp_adjust_tail(ctx, delta) user_space_adjust_tail(ctx, delta)
#define bpf_fib_lookup(ctx, params, size, flags) user_space_fib_lookup(ctx, params, size, flags)
#define bpf_csum_diff(from, from_size, to, to_size, seed) \
  user_space_csum_diff(from, from_size, to, to_size, seed)
#define bpf_tcp_raw_gen_syncookie_ipv4(ip, tcp, size) user_space_make_cookie4(ip, tcp, size)
#define bpf_tcp_raw_gen_syncookie_ipv6(ip, tcp, size) user_space_make_cookie6(ip, tcp, size)
#define bpf_tcp_raw_check_syncookie_ipv4(ip, tcp) user_space_check_cookie4(ip, tcp)
#define bpf_tcp_raw_check_syncookie_ipv6(ip, tcp) user_space_check_cookie6(ip, tcp)
#define bpf_loop(steps, step, context, flags) \
  user_space_loop(steps, (user_space_step)(step), context, flags)

#endif
