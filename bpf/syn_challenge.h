/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A stateless challenge for TCP clients during a flood: the SYN is answered with a SYN-ACK whose
 * acknowledgment number is a cookie, not the client's. A real client answers a number it never sent
 * with a RST that carries it back (RFC 9293, 3.10.7.3), stays in SYN-SENT and sends its SYN again;
 * by then its source is known to be real. A spoofed source never hears of it.
 *
 * The cookies are the kernel's own SYN cookies (bpf_tcp_raw_gen_syncookie), made over addresses and
 * ports only, for a RST does not bring the initial sequence number back.
 */
#ifndef STEM_SYN_CHALLENGE_H
#define STEM_SYN_CHALLENGE_H

#include <linux/tcp.h>

#include "bpf/maps.h"
#include "bpf/parse.h"

#define CHALLENGE_SEQUENCE 1 /* in the place of the initial sequence number + 1 */

/* The headers a cookie is made over and checked with. */
struct cookie_headers {
  struct tcphdr tcp;
  struct iphdr ip4;
  struct ipv6hdr ip6;
};

static __always_inline void fill_cookie_headers(const struct packet* packet,
                                                struct cookie_headers* headers) {
  __builtin_memset(headers, 0, sizeof(*headers));
  headers->tcp.doff = sizeof(headers->tcp) / 4;
  headers->tcp.source = bpf_htons(packet->source_port);
  headers->tcp.dest = bpf_htons(packet->destination_port);
  if (packet->version == 4) {
    headers->ip4.version = 4;
    headers->ip4.ihl = sizeof(headers->ip4) / 4;
    __builtin_memcpy(&headers->ip4.saddr, packet->source + 12, 4);
    __builtin_memcpy(&headers->ip4.daddr, packet->destination + 12, 4);
  } else {
    headers->ip6.version = 6;
    __builtin_memcpy(&headers->ip6.saddr, packet->source, 16);
    __builtin_memcpy(&headers->ip6.daddr, packet->destination, 16);
  }
}

/* True with the cookie for this packet's connection; false when the kernel makes none. */
static __always_inline int make_cookie(const struct packet* packet, __u32* cookie) {
  struct cookie_headers headers;
  fill_cookie_headers(packet, &headers);
  __s64 made;
  if (packet->version == 4) {
    made = bpf_tcp_raw_gen_syncookie_ipv4(&headers.ip4, &headers.tcp, sizeof(headers.tcp));
  } else {
    made = bpf_tcp_raw_gen_syncookie_ipv6(&headers.ip6, &headers.tcp, sizeof(headers.tcp));
  }
  if (made < 0) return 0;
  *cookie = (__u32)made;
  return 1;
}

/* Whether the RST brings back a cookie of its connection, at most two minutes old. */
static __always_inline int meets_challenge(struct xdp_md* ctx, const struct packet* packet) {
  struct tcphdr* reset = transport_at(ctx, packet, 0, sizeof(*reset));
  if (!reset) return 0;
  struct cookie_headers headers;
  fill_cookie_headers(packet, &headers);
  headers.tcp.seq = bpf_htonl(CHALLENGE_SEQUENCE);
  headers.tcp.ack_seq = bpf_htonl(bpf_ntohl(reset->seq) + 1);
  if (packet->version == 4) {
    return bpf_tcp_raw_check_syncookie_ipv4(&headers.ip4, &headers.tcp) == 0;
  }
  return bpf_tcp_raw_check_syncookie_ipv6(&headers.ip6, &headers.tcp) == 0;
}

static __always_inline __u16 fold_checksum(__u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static __always_inline void swap_macs(struct ethhdr* ethernet) {
  __u8 address[ETH_ALEN];
  __builtin_memcpy(address, ethernet->h_dest, ETH_ALEN);
  __builtin_memcpy(ethernet->h_dest, ethernet->h_source, ETH_ALEN);
  __builtin_memcpy(ethernet->h_source, address, ETH_ALEN);
}

/*
 * Turns the SYN into the challenge, 20 bytes of TCP header without options, no larger than what it
 * answers, and sends it back. By redirect, as media is relayed, and not by XDP_TX: on a veth that
 * one only wakes a peer that has an XDP program of its own (veth_xdp_flush). Returns XDP_REDIRECT,
 * or XDP_ABORTED where the frame cannot be written.
 */
static __always_inline int answer_with_challenge(struct xdp_md* ctx, const struct packet* packet,
                                                 __u32 cookie) {
  const __u32 wanted = packet->l4_offset + sizeof(struct tcphdr);
  if (bpf_xdp_adjust_tail(ctx, (int)wanted - (int)packet->bytes) != 0) return XDP_ABORTED;
  void* data = (void*)(long)ctx->data;
  void* data_end = (void*)(long)ctx->data_end;
  struct ethhdr* ethernet = data;
  void* ip = data + (packet->ip_offset & MAX_L4_OFFSET);
  keep_pointer(ip);
  struct tcphdr* tcp = transport_at(ctx, packet, 0, sizeof(*tcp));
  if (!tcp || (void*)(ethernet + 1) > data_end) return XDP_ABORTED;

  swap_macs(ethernet);
  __builtin_memset(tcp, 0, sizeof(*tcp));
  tcp->source = bpf_htons(packet->destination_port);
  tcp->dest = bpf_htons(packet->source_port);
  tcp->seq = bpf_htonl(cookie ^ 0x5a5a5a5a); /* nobody reads it */
  tcp->ack_seq = bpf_htonl(cookie);
  tcp->doff = sizeof(*tcp) / 4;
  tcp->syn = 1;
  tcp->ack = 1;

  __u64 sum = bpf_csum_diff(0, 0, (__be32*)tcp, sizeof(*tcp), 0);
  sum += bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
  if (packet->version == 4) {
    struct iphdr* ip4 = ip;
    if ((void*)(ip4 + 1) > data_end) return XDP_ABORTED;
    __builtin_memcpy(&ip4->saddr, packet->destination + 12, 4);
    __builtin_memcpy(&ip4->daddr, packet->source + 12, 4);
    ip4->tot_len = bpf_htons(sizeof(*ip4) + sizeof(*tcp));
    ip4->id = 0;
    ip4->frag_off = bpf_htons(0x4000); /* don't fragment */
    ip4->ttl = 64;
    ip4->check = 0;
    ip4->check = fold_checksum(bpf_csum_diff(0, 0, (__be32*)ip4, sizeof(*ip4), 0));
    sum += bpf_csum_diff(0, 0, (__be32*)&ip4->saddr, 8, 0);
  } else {
    struct ipv6hdr* ip6 = ip;
    if ((void*)(ip6 + 1) > data_end) return XDP_ABORTED;
    __builtin_memcpy(&ip6->saddr, packet->destination, 16);
    __builtin_memcpy(&ip6->daddr, packet->source, 16);
    ip6->payload_len = bpf_htons(sizeof(*tcp));
    ip6->hop_limit = 64;
    sum += bpf_csum_diff(0, 0, (__be32*)&ip6->saddr, 32, 0);
  }
  tcp->check = fold_checksum(sum);
  return bpf_redirect(ctx->ingress_ifindex, 0);
}

#endif /* STEM_SYN_CHALLENGE_H */
