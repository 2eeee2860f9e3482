/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel programs find in user space in the place of the kernel's helpers: the same
 * contracts (bpf-helpers(7)), over the Machine that runs them (machine.h).
 */
#ifndef STEM_USER_SPACE_HELPERS_H
#define STEM_USER_SPACE_HELPERS_H

#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bpf_fib_lookup;
struct iphdr;
struct ipv6hdr;
struct tcphdr;

/* As struct xdp_md, whose pointers have only 32 bits. */
struct user_space_context {
  __u64 data;
  __u64 data_end;
  __u32 ingress_ifindex;
  __u32 rx_queue_index;
};

typedef long (*user_space_step)(__u32 step, void* context);

void* user_space_lookup(void* map, const void* key);
long user_space_update(void* map, const void* key, const void* value, __u64 flags);
void* user_space_reserve(void* map, __u64 size, __u64 flags);
void user_space_submit(void* data, __u64 flags);
__u64 user_space_time(void);
__u64 user_space_coarse_time(void);
__u64 user_space_ticks(void);
long user_space_redirect(__u32 ifindex, __u64 flags);
long user_space_redirect_map(void* map, __u64 key, __u64 flags);
long user_space_adjust_tail(struct user_space_context* context, int delta);
long user_space_fib_lookup(void* context, struct bpf_fib_lookup* route, int size, __u32 flags);
__s64 user_space_csum_diff(const __u32* from, __u32 from_size, const __u32* to, __u32 to_size,
                           __u32 seed);
__s64 user_space_make_cookie4(const struct iphdr* ip, const struct tcphdr* tcp, __u32 size);
__s64 user_space_make_cookie6(const struct ipv6hdr* ip, const struct tcphdr* tcp, __u32 size);
long user_space_check_cookie4(const struct iphdr* ip, const struct tcphdr* tcp);
long user_space_check_cookie6(const struct ipv6hdr* ip, const struct tcphdr* tcp);
long user_space_loop(__u32 steps, user_space_step step, void* context, __u64 flags);

#ifdef __cplusplus
}
#endif
#endif
