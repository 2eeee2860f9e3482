// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The least an XDP program can do: route and redirect, or drop. What a firewall costs beyond
 * these is its own.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET_KERNEL 2

SEC("xdp")
int bare_relay(struct xdp_md* ctx) {
  struct ethhdr* ethernet = (void*)(long)ctx->data;
  struct iphdr* ip = (void*)(ethernet + 1);
  if ((void*)(ip + 1) > (void*)(long)ctx->data_end) return XDP_PASS;
  if (ethernet->h_proto != bpf_htons(ETH_P_IP) || ip->ttl <= 1) return XDP_PASS;
  struct bpf_fib_lookup fib = {.family = AF_INET_KERNEL,
                               .l4_protocol = ip->protocol,
                               .tos = ip->tos,
                               .tot_len = bpf_ntohs(ip->tot_len),
                               .ipv4_src = ip->saddr,
                               .ipv4_dst = ip->daddr,
                               .ifindex = ctx->ingress_ifindex};
  if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS) return XDP_PASS;
  __u32 check = ip->check + bpf_htons(0x0100); /* RFC 1624 */
  ip->check = check + (check >= 0xffff);
  ip->ttl--;
  __builtin_memcpy(ethernet->h_dest, fib.dmac, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, fib.smac, ETH_ALEN);
  return bpf_redirect(fib.ifindex, 0);
}

SEC("xdp")
int bare_drop(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
