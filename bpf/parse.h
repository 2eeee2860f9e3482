/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Parsing: Ethernet, VLAN tags, IPv4 with options, IPv6 with extension headers, UDP and TCP ports.
 *
 * Everything the modules look at is copied into struct packet once; offsets let a module go back
 * to the bytes. Lengths are believed only after they were held against the frame.
 */
#ifndef STEM_PARSE_H
#define STEM_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/stem_abi.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXTENSION_HEADERS 6
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

#define TCP_FLAGS_OFFSET 13

#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_AH 51
#define NEXT_DESTINATION 60
#define NEXT_MOBILITY 135
#define NEXT_HIP 139
#define NEXT_SHIM6 140

struct packet {
  __u8 source[16];
  __u8 destination[16];
  __u16 source_port; /* host order, 0 unless UDP or TCP */
  __u16 destination_port;
  __u16 ip_offset;
  __u16 ip_length; /* IP header to end of packet */
  __u16 l4_offset;
  __u8 protocol; /* of the transport header */
  __u8 version;  /* 4 or 6 */
  __u8 vlan_tags;
  __u8 plain_header; /* no IPv4 options, no IPv6 extension headers */
  __u8 arp;
  __u8 transport; /* the transport header was there: ports, flags and type below are its own */
  __u8 tcp_flags;
  __u8 icmp_type; /* of ICMP and ICMPv6 */
};

struct vlan_tag {
  __be16 tci;
  __be16 protocol;
};

struct extension_header {
  __u8 next;
  __u8 length; /* in 8 bytes beyond the first 8; AH: in 4 bytes beyond the first 8 */
};

#define PARSED STEM_REASON_MAX /* no reason to stop */

/* An IPv4 address as the v4-mapped 16 bytes. */
static __always_inline void map_ipv4(__u8 out[16], __be32 address) {
  __builtin_memset(out, 0, 10);
  out[10] = 0xff;
  out[11] = 0xff;
  __builtin_memcpy(out + 12, &address, 4);
}

static __always_inline enum stem_reason parse_ports(void* data, void* data_end,
                                                    struct packet* packet, __u32 l4_length) {
  if (packet->protocol == IPPROTO_UDP) {
    struct udphdr* udp = data + packet->l4_offset;
    if ((void*)(udp + 1) > data_end || l4_length < sizeof(*udp)) return STEM_REASON_truncated;
    const __u32 length = bpf_ntohs(udp->len);
    if (length < sizeof(*udp) || length > l4_length) return STEM_REASON_bad_header;
    packet->source_port = bpf_ntohs(udp->source);
    packet->destination_port = bpf_ntohs(udp->dest);
    packet->transport = 1;
  } else if (packet->protocol == IPPROTO_TCP) {
    __be16* ports = data + packet->l4_offset; /* source, destination */
    if ((void*)(ports + 10) > data_end || l4_length < 20) return STEM_REASON_truncated;
    packet->source_port = bpf_ntohs(ports[0]);
    packet->destination_port = bpf_ntohs(ports[1]);
    packet->tcp_flags = ((__u8*)ports)[TCP_FLAGS_OFFSET];
    packet->transport = 1;
  } else if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
    __u8* type = data + packet->l4_offset;
    if ((void*)(type + 1) > data_end || l4_length < 1) return STEM_REASON_truncated;
    packet->icmp_type = *type;
    packet->transport = 1;
  }
  return PARSED;
}

static __always_inline enum stem_reason parse_ipv4(void* data, void* data_end,
                                                   struct packet* packet) {
  struct iphdr* ip = data + packet->ip_offset;
  if ((void*)(ip + 1) > data_end) return STEM_REASON_truncated;
  const __u32 header = ip->ihl * 4;
  const __u32 total = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header < sizeof(*ip) || total < header) return STEM_REASON_bad_header;
  if (data + packet->ip_offset + total > data_end) return STEM_REASON_truncated;
  if (ip->frag_off & bpf_htons(IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) {
    return STEM_REASON_fragment;
  }
  map_ipv4(packet->source, ip->saddr);
  map_ipv4(packet->destination, ip->daddr);
  packet->version = 4;
  packet->protocol = ip->protocol;
  packet->plain_header = header == sizeof(*ip);
  packet->ip_length = total;
  packet->l4_offset = packet->ip_offset + header;
  return parse_ports(data, data_end, packet, total - header);
}

static __always_inline int is_extension_header(__u8 protocol) {
  return protocol == NEXT_HOP_BY_HOP || protocol == NEXT_ROUTING || protocol == NEXT_FRAGMENT ||
         protocol == NEXT_AH || protocol == NEXT_DESTINATION || protocol == NEXT_MOBILITY ||
         protocol == NEXT_HIP || protocol == NEXT_SHIM6;
}

/* RFC 8200, 4: the chain of extension headers, at most MAX_EXTENSION_HEADERS of them. */
static __always_inline enum stem_reason parse_ipv6(void* data, void* data_end,
                                                   struct packet* packet) {
  struct ipv6hdr* ip = data + packet->ip_offset;
  if ((void*)(ip + 1) > data_end) return STEM_REASON_truncated;
  const __u32 payload = bpf_ntohs(ip->payload_len);
  if (ip->version != 6) return STEM_REASON_bad_header;
  if ((void*)(ip + 1) + payload > data_end) return STEM_REASON_truncated;
  __builtin_memcpy(packet->source, &ip->saddr, 16);
  __builtin_memcpy(packet->destination, &ip->daddr, 16);
  packet->version = 6;
  packet->ip_length = sizeof(*ip) + payload;

  __u8 next = ip->nexthdr;
  __u32 skipped = 0;
  packet->plain_header = !is_extension_header(next);
  for (int i = 0; i < MAX_EXTENSION_HEADERS && is_extension_header(next); i++) {
    struct extension_header* extension = (void*)(ip + 1) + skipped;
    if ((void*)(extension + 1) > data_end) return STEM_REASON_truncated;
    if (next == NEXT_FRAGMENT) return STEM_REASON_fragment;
    skipped += next == NEXT_AH ? (extension->length + 2) * 4 : (extension->length + 1) * 8;
    if (skipped > payload) return STEM_REASON_bad_header;
    next = extension->next;
  }
  if (is_extension_header(next)) return STEM_REASON_ext_header_cap;
  packet->protocol = next;
  packet->l4_offset = packet->ip_offset + sizeof(*ip) + skipped;
  return parse_ports(data, data_end, packet, payload - skipped);
}

/* Fills `packet`; returns PARSED, or the reason the packet must be dropped. */
static __always_inline enum stem_reason parse(struct xdp_md* ctx, struct packet* packet) {
  void* data = (void*)(long)ctx->data;
  void* data_end = (void*)(long)ctx->data_end;
  struct ethhdr* ethernet = data;
  if ((void*)(ethernet + 1) > data_end) return STEM_REASON_truncated;

  __be16 protocol = ethernet->h_proto;
  packet->ip_offset = sizeof(*ethernet);
  for (int i = 0; i < MAX_VLAN_TAGS; i++) {
    if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD)) break;
    struct vlan_tag* tag = data + packet->ip_offset;
    if ((void*)(tag + 1) > data_end) return STEM_REASON_truncated;
    protocol = tag->protocol;
    packet->ip_offset += sizeof(*tag);
    packet->vlan_tags++;
  }
  if (protocol == bpf_htons(ETH_P_IP)) return parse_ipv4(data, data_end, packet);
  if (protocol == bpf_htons(ETH_P_IPV6)) return parse_ipv6(data, data_end, packet);
  if (protocol == bpf_htons(ETH_P_ARP)) {
    packet->arp = 1;
    return PARSED;
  }
  if (protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD)) {
    return STEM_REASON_too_many_vlans;
  }
  return STEM_REASON_not_ip;
}

#endif /* STEM_PARSE_H */
