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
#define MAX_L4_OFFSET 16383 /* Ethernet, VLAN tags, IPv6 and the longest extension headers */
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

#define NEXT_HOP_BY_HOP 0
#define NEXT_ROUTING 43
#define NEXT_FRAGMENT 44
#define NEXT_AH 51
#define NEXT_DESTINATION 60
#define NEXT_MOBILITY 135
#define NEXT_HIP 139
#define NEXT_SHIM6 140

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_FLAGS_BYTE 13 /* of the TCP header */
#define TCP_MIN_HEADER 20

enum fragment_kind { FRAGMENT_NONE = 0, FRAGMENT_FIRST = 1, FRAGMENT_LATER = 2 };

struct packet {
  __u8 source[16];
  __u8 destination[16];
  __u32 bytes; /* whole frame */
  __u32 side;  /* enum stem_side */
  __u32 fragment_id;
  __u32 reason;      /* enum stem_reason: what became of it, see account.h */
  __u32 rule;        /* that decided: 1 + its slot, or 0 */
  __u16 source_port; /* host order, 0 unless UDP or TCP */
  __u16 destination_port;
  __u16 ip_offset;
  __u16 ip_length; /* IP header to end of packet */
  __u16 l4_offset;
  __u16 payload_length; /* of the UDP datagram, as its header says */
  __u8 protocol;        /* of the transport header */
  __u8 version;         /* 4 or 6 */
  __u8 vlan_tags;
  __u8 plain_header; /* no IPv4 options, no IPv6 extension headers, no fragment */
  __u8 arp;
  __u8 fragment;  /* enum fragment_kind; a later one has no ports */
  __u8 tcp_flags; /* of a TCP segment, else 0 */
  __u8 icmp_type; /* of an ICMP or ICMPv6 message, else 0 */
  __u8 dropped;
};

struct vlan_tag {
  __be16 tci;
  __be16 protocol;
};

struct extension_header {
  __u8 next;
  __u8 length; /* in 8 bytes beyond the first 8; AH: in 4 bytes beyond the first 8 */
};

struct fragment_header {
  __u8 next;
  __u8 reserved;
  __be16 offset_and_more; /* in 8 bytes, 13 bits; 2 reserved; more fragments */
  __be32 id;
};

/*
 * Makes the compiler keep this pointer: computed a second time, it would not be the one that the
 * verifier saw compared with data_end.
 */
#define keep_pointer(pointer) asm volatile("" : "+r"(pointer))

#define PARSED STEM_REASON_MAX /* no reason to stop */

/* An IPv4 address as the v4-mapped 16 bytes. */
static __always_inline void map_ipv4(__u8 out[16], __be32 address) {
  __builtin_memset(out, 0, 10);
  out[10] = 0xff;
  out[11] = 0xff;
  __builtin_memcpy(out + 12, &address, 4);
}

/*
 * `size` bytes that begin `skip` bytes behind the start of the transport header, or NULL where the
 * frame ends before. For modules that go back to the packet.
 */
static __always_inline void* transport_at(struct xdp_md* ctx, const struct packet* packet,
                                          __u32 skip, __u32 size) {
  __u64 offset = packet->l4_offset;
  keep_pointer(offset);
  if (offset > MAX_L4_OFFSET) return 0; /* parse() lets no such packet pass; the verifier asks */
  void* at = (void*)(long)ctx->data + offset + skip;
  keep_pointer(at);
  return at + size > (void*)(long)ctx->data_end ? 0 : at;
}

static __always_inline int is_icmp(const struct packet* packet) {
  return packet->protocol == (packet->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* A fragment that is later than the first has nothing to be read here. */
static __always_inline enum stem_reason parse_transport(struct xdp_md* ctx, struct packet* packet,
                                                        __u32 l4_length) {
  if (packet->fragment == FRAGMENT_LATER) return PARSED;
  if (packet->protocol == IPPROTO_UDP) {
    struct udphdr* udp = transport_at(ctx, packet, 0, sizeof(*udp));
    if (!udp || l4_length < sizeof(*udp)) return STEM_REASON_truncated;
    const __u32 length = bpf_ntohs(udp->len);
    if (length < sizeof(*udp)) return STEM_REASON_bad_header;
    if (length > l4_length && packet->fragment == FRAGMENT_NONE) return STEM_REASON_bad_header;
    packet->source_port = bpf_ntohs(udp->source);
    packet->destination_port = bpf_ntohs(udp->dest);
    packet->payload_length = length - sizeof(*udp);
  } else if (packet->protocol == IPPROTO_TCP) {
    __be16* ports = transport_at(ctx, packet, 0, TCP_MIN_HEADER); /* source, destination */
    if (!ports || l4_length < TCP_MIN_HEADER) return STEM_REASON_truncated;
    packet->source_port = bpf_ntohs(ports[0]);
    packet->destination_port = bpf_ntohs(ports[1]);
    packet->tcp_flags = ((__u8*)ports)[TCP_FLAGS_BYTE];
  } else if (is_icmp(packet)) {
    __u8* type = transport_at(ctx, packet, 0, sizeof(*type));
    if (!type || l4_length < 1) return STEM_REASON_truncated;
    packet->icmp_type = *type;
  }
  return PARSED;
}

/* A TCP connection attempt. */
static __always_inline int is_syn(const struct packet* packet) {
  return (packet->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

static __always_inline enum stem_reason parse_ipv4(struct xdp_md* ctx, void* data, void* data_end,
                                                   struct packet* packet) {
  struct iphdr* ip = data + packet->ip_offset;
  if ((void*)(ip + 1) > data_end) return STEM_REASON_truncated;
  const __u32 header = ip->ihl * 4;
  const __u32 total = bpf_ntohs(ip->tot_len);
  if (ip->version != 4 || header < sizeof(*ip) || total < header) return STEM_REASON_bad_header;
  if (data + packet->ip_offset + total > data_end) return STEM_REASON_truncated;
  const __u16 fragment = bpf_ntohs(ip->frag_off);
  if (fragment & IPV4_FRAGMENT_OFFSET) {
    packet->fragment = FRAGMENT_LATER;
  } else if (fragment & IPV4_MORE_FRAGMENTS) {
    packet->fragment = FRAGMENT_FIRST;
  }
  packet->fragment_id = bpf_ntohs(ip->id);
  map_ipv4(packet->source, ip->saddr);
  map_ipv4(packet->destination, ip->daddr);
  packet->version = 4;
  packet->protocol = ip->protocol;
  packet->plain_header = header == sizeof(*ip) && packet->fragment == FRAGMENT_NONE;
  packet->ip_length = total;
  packet->l4_offset = packet->ip_offset + header;
  return parse_transport(ctx, packet, total - header);
}

/* By bits and not by comparisons: after each of those the verifier would go a way of its own. */
static __always_inline int is_extension_header(__u8 protocol) {
  const __u64 low = 1ull << NEXT_HOP_BY_HOP | 1ull << NEXT_ROUTING | 1ull << NEXT_FRAGMENT |
                    1ull << NEXT_AH | 1ull << NEXT_DESTINATION;
  const __u64 high =
      1ull << (NEXT_MOBILITY - 128) | 1ull << (NEXT_HIP - 128) | 1ull << (NEXT_SHIM6 - 128);
  const __u64 bits = protocol < 128 ? (protocol < 64 ? low : 0) : (protocol < 192 ? high : 0);
  return bits >> (protocol & 63) & 1;
}

/* Neither offset nor more: an atomic fragment is a whole packet (RFC 6946). */
static __always_inline enum fragment_kind ipv6_fragment_kind(__u16 offset_and_more) {
  if (offset_and_more & 0xfff8) return FRAGMENT_LATER;
  return offset_and_more & 1 ? FRAGMENT_FIRST : FRAGMENT_NONE;
}

/*
 * RFC 8200, 4: the chain of extension headers, at most MAX_EXTENSION_HEADERS of them, that begins
 * with packet->protocol. Leaves the transport's protocol and offset there; PARSED, or what is
 * wrong.
 *
 * A global function: the verifier goes through it once and forgets which way a packet took, instead
 * of going through everything behind it once for every way. Only few packets pay for the call; what
 * all packets go through is inlined, because a return is dear where CPUs need Safe RET (here, about
 * 8 ns).
 */
__noinline int skip_extension_headers(struct xdp_md* ctx, struct packet* packet) {
  if (!packet) return STEM_REASON_bad_header;
  void* data_end = (void*)(long)ctx->data_end;
  void* first =
      (void*)(long)ctx->data + (packet->ip_offset & MAX_L4_OFFSET) + sizeof(struct ipv6hdr);
  const __u32 payload = packet->ip_length - sizeof(struct ipv6hdr);
  __u8 next = packet->protocol;
  __u32 skipped = 0;
  for (int i = 0; i < MAX_EXTENSION_HEADERS && is_extension_header(next); i++) {
    struct extension_header* extension = first + (skipped & MAX_L4_OFFSET);
    if ((void*)(extension + 1) > data_end) return STEM_REASON_truncated;
    if (next == NEXT_FRAGMENT) {
      struct fragment_header* fragment = (void*)extension;
      if ((void*)(fragment + 1) > data_end) return STEM_REASON_truncated;
      if (packet->fragment != FRAGMENT_NONE) return STEM_REASON_bad_header; /* one is enough */
      packet->fragment = ipv6_fragment_kind(bpf_ntohs(fragment->offset_and_more));
      packet->fragment_id = bpf_ntohl(fragment->id);
      skipped += sizeof(*fragment);
      next = fragment->next;
      if (packet->fragment == FRAGMENT_LATER) break; /* what follows is not a header */
    } else {
      skipped += next == NEXT_AH ? (extension->length + 2) * 4 : (extension->length + 1) * 8;
      next = extension->next;
    }
    if (skipped > payload) return STEM_REASON_bad_header;
  }
  if (skipped > payload) return STEM_REASON_bad_header;
  if (is_extension_header(next) && packet->fragment != FRAGMENT_LATER) {
    return STEM_REASON_ext_header_cap;
  }
  packet->protocol = next;
  packet->l4_offset += skipped;
  return PARSED;
}

/*
 * In every table such an address is IPv4's: an IPv6 packet that has one would be taken for another
 * sender, or for media of an IPv4 call. None belongs on the wire, and Linux drops them, too
 * (draft-itojun-v6ops-v4mapped-harmful).
 */
static __always_inline int is_v4_mapped(const struct in6_addr* address) {
  const __be32* words = address->in6_u.u6_addr32;
  return (words[0] | words[1]) == 0 && words[2] == bpf_htonl(0xffff);
}

static __always_inline int parse_ipv6(struct xdp_md* ctx, void* data, void* data_end,
                                      struct packet* packet) {
  struct ipv6hdr* ip = data + packet->ip_offset;
  if ((void*)(ip + 1) > data_end) return STEM_REASON_truncated;
  const __u32 payload = bpf_ntohs(ip->payload_len);
  if (ip->version != 6) return STEM_REASON_bad_header;
  if (is_v4_mapped(&ip->saddr) || is_v4_mapped(&ip->daddr)) return STEM_REASON_bad_header;
  if ((void*)(ip + 1) + payload > data_end) return STEM_REASON_truncated;
  __builtin_memcpy(packet->source, &ip->saddr, 16);
  __builtin_memcpy(packet->destination, &ip->daddr, 16);
  packet->version = 6;
  packet->ip_length = sizeof(*ip) + payload;

  packet->protocol = ip->nexthdr;
  packet->l4_offset = packet->ip_offset + sizeof(*ip);
  packet->plain_header = !is_extension_header(ip->nexthdr);
  if (!packet->plain_header) {
    const int refusal = skip_extension_headers(ctx, packet);
    if (refusal != PARSED) return refusal;
  }
  const __u32 end = packet->ip_offset + packet->ip_length;
  return parse_transport(ctx, packet, end - packet->l4_offset);
}

/* Fills `packet`, which is all zero; returns PARSED, or the reason the packet must be dropped. */
static __always_inline int parse(struct xdp_md* ctx, struct packet* packet) {
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
  if (protocol == bpf_htons(ETH_P_IP)) return parse_ipv4(ctx, data, data_end, packet);
  if (protocol == bpf_htons(ETH_P_IPV6)) return parse_ipv6(ctx, data, data_end, packet);
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
