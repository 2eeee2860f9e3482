/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Frames of a stream, one after the other, each with all its headers written anew: a frame may be
 * a used one, with what the hops before wrote.
 */
#ifndef STEM_TRAFFIC_FRAME_H
#define STEM_TRAFFIC_FRAME_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/traffic_abi.h"

#define RTP_PAYLOAD_PCMU 0
#define RTP_SAMPLES 160 /* 20 ms at 8 kHz */

/* Destination and source of every frame. */
__u8 macs[12] = {};

struct transport {
  __be16 source_port;
  __be16 destination_port;
  union {
    struct {
      __be16 length;
      __be16 check;
      __be32 words[3]; /* RTP, or the first bytes of a request */
    } udp;
    struct {
      __be32 sequence;
      __be32 acknowledged;
      __be16 flags;
      __be16 window;
      __be16 check;
      __be16 urgent;
    } tcp;
  };
};
_Static_assert(sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct transport) ==
                   TRAFFIC_HEADERS,
               "all headers, nothing more");

/* Whose turn it is in the stream, as a flow number. */
static __always_inline __u32 next_flow(struct traffic_stream* stream) {
  const __u32 flows = stream->flows;
  __u32 turn = stream->turn + stream->step;
  if (turn >= flows) turn -= flows;
  stream->turn = turn;
  if (stream->left == 0) {
    stream->left = flows;
    stream->round += stream->round_step;
  }
  stream->left--;
  return stream->first + turn * stream->stride;
}

static __always_inline void write_ip(struct iphdr* ip, const struct traffic_stream* stream,
                                     const struct traffic_flow* flow, __u32 id) {
  ip->version = 4;
  ip->ihl = 5;
  ip->tos = 0;
  ip->tot_len = bpf_htons(stream->ip_length);
  ip->id = bpf_htons(id);
  ip->frag_off = 0;
  ip->ttl = 64;
  ip->protocol = is_tcp(stream->kind) ? IPPROTO_TCP : IPPROTO_UDP;
  ip->saddr = bpf_htonl(flow->source);
  ip->daddr = bpf_htonl(flow->destination);
  __u32 sum = 0x4500 + stream->ip_length + id + (64 << 8 | ip->protocol) + (flow->source >> 16) +
              (flow->source & 0xffff) + (flow->destination >> 16) + (flow->destination & 0xffff);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  ip->check = bpf_htons(~sum & 0xffff);
}

static __always_inline void write_transport(struct transport* l4,
                                            const struct traffic_stream* stream, __u32 flow) {
  if (is_tcp(stream->kind)) {
    l4->tcp.sequence = bpf_htonl(flow);
    l4->tcp.acknowledged = 0;
    /* 20 bytes of header; SYN, or ACK */
    l4->tcp.flags = bpf_htons(5 << 12 | (stream->kind == TRAFFIC_SYN ? 0x02 : 0x10));
    l4->tcp.window = bpf_htons(64240);
    l4->tcp.check = 0;
    l4->tcp.urgent = 0;
    return;
  }
  l4->udp.length = bpf_htons(stream->ip_length - sizeof(struct iphdr));
  l4->udp.check = 0; /* none, as RFC 768 allows */
  if (stream->kind == TRAFFIC_INVITE) {
    l4->udp.words[0] = bpf_htonl(0x494e5649); /* "INVI" */
    l4->udp.words[1] = bpf_htonl(0x54452073); /* "TE s" */
    l4->udp.words[2] = bpf_htonl(0x69703a62); /* "ip:b" */
    return;
  }
  const __u32 marker = stream->round == 1 ? 0x80 : 0; /* start of a talkspurt (RFC 3551, 4.1) */
  l4->udp.words[0] =
      bpf_htonl(2u << 30 | (marker | RTP_PAYLOAD_PCMU) << 16 | (stream->round & 0xffff));
  l4->udp.words[1] = bpf_htonl(stream->round * RTP_SAMPLES);
  l4->udp.words[2] = bpf_htonl(0x57454d00 + flow); /* SSRC */
}

/* Writes the next frame of the stream; 0, or -1 when there is no room for its headers. */
static __always_inline int write_frame(struct xdp_md* ctx, struct traffic_stream* stream,
                                       __u32 id) {
  struct ethhdr* ethernet = (void*)(long)ctx->data;
  struct iphdr* ip = (void*)(ethernet + 1);
  struct transport* l4 = (void*)(ip + 1);
  if ((void*)(l4 + 1) > (void*)(long)ctx->data_end) return -1;
  const __u32 number = next_flow(stream);
  const struct traffic_flow flow = flow_of(stream->kind, number);
  __builtin_memcpy(ethernet, macs, sizeof(macs));
  ethernet->h_proto = bpf_htons(ETH_P_IP);
  write_ip(ip, stream, &flow, id);
  l4->source_port = bpf_htons(flow.source_port);
  l4->destination_port = bpf_htons(flow.destination_port);
  write_transport(l4, stream, number);
  stream->sent++;
  return 0;
}

#endif /* STEM_TRAFFIC_FRAME_H */
