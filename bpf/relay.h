/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Relay: a conforming media packet is routed here and redirected to the other interface, without
 * touching the kernel stack. What the short way cannot do (no neighbour yet, TTL spent, packet
 * larger than the next link, VLAN tags, IP options, a third interface) goes the long way.
 */
#ifndef STEM_RELAY_H
#define STEM_RELAY_H

#include "bpf/account.h"

#define AF_INET_KERNEL 2
#define AF_INET6_KERNEL 10

/* RFC 1624: the header checksum after the TTL went down by one. */
static __always_inline void decrement_ttl(struct iphdr* ip) {
  __u32 check = ip->check;
  check += bpf_htons(0x0100);
  ip->check = check + (check >= 0xffff);
  ip->ttl--;
}

static __always_inline int relay(struct xdp_md* ctx, struct packet* packet) {
  void* data = (void*)(long)ctx->data;
  void* data_end = (void*)(long)ctx->data_end;
  struct ethhdr* ethernet = data;
  struct bpf_fib_lookup fib = {.ifindex = ctx->ingress_ifindex, .l4_protocol = IPPROTO_UDP};
  /* Ports are left out: policy routing by port is the stack's business. */
  fib.tot_len = packet->ip_length;
  if (module_mode[STEM_MODULE_relay] == STEM_MODULE_OFF) goto to_stack;
  if (packet->vlan_tags || !packet->plain_header) goto to_stack;

  struct iphdr* ip4 = data + sizeof(*ethernet);
  struct ipv6hdr* ip6 = data + sizeof(*ethernet);
  if (packet->version == 4) {
    if ((void*)(ip4 + 1) > data_end || ip4->ttl <= 1) goto to_stack;
    fib.family = AF_INET_KERNEL;
    fib.tos = ip4->tos;
    fib.ipv4_src = ip4->saddr;
    fib.ipv4_dst = ip4->daddr;
  } else {
    if ((void*)(ip6 + 1) > data_end || ip6->hop_limit <= 1) goto to_stack;
    fib.family = AF_INET6_KERNEL;
    fib.flowinfo = *(__be32*)ip6 & bpf_htonl(0x0fffffff);
    __builtin_memcpy(fib.ipv6_src, &ip6->saddr, 16);
    __builtin_memcpy(fib.ipv6_dst, &ip6->daddr, 16);
  }
  if (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) != BPF_FIB_LKUP_RET_SUCCESS) goto to_stack;
  if (fib.ifindex != outside_ifindex && fib.ifindex != inside_ifindex) goto to_stack;

  if (module_mode[STEM_MODULE_relay] == STEM_MODULE_OBSERVE) {
    observe(packet, STEM_REASON_media_relayed); /* no drop, hence no event */
    goto to_stack;
  }

  if (packet->version == 4) {
    decrement_ttl(ip4);
  } else {
    ip6->hop_limit--;
  }
  __builtin_memcpy(ethernet->h_dest, fib.dmac, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, fib.smac, ETH_ALEN);
  account(packet, STEM_REASON_media_relayed);
  return bpf_redirect(fib.ifindex, 0);

to_stack:
  return pass(packet, STEM_REASON_media_to_stack);
}

#endif /* STEM_RELAY_H */
