/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the traffic programs and the bench share: what to send, and what was counted.
 *
 * A stream is traffic of one kind from many sources that take turns. Everything about a packet
 * follows from its flow number (flow_of), so that the bench knows the same addresses.
 */
#ifndef STEM_TRAFFIC_ABI_H
#define STEM_TRAFFIC_ABI_H

#include <linux/types.h>

/* At most this many streams at once; the IPv4 identification of a frame says which one it is of. */
#define TRAFFIC_STREAMS 4
/* Headers rewritten in every frame: Ethernet, IPv4, UDP and RTP, or TCP. */
#define TRAFFIC_HEADERS 54

enum traffic_kind {
  TRAFFIC_NONE = 0,
  TRAFFIC_RTP = 1,
  TRAFFIC_SYN = 2,
  TRAFFIC_INVITE = 3,
  TRAFFIC_RULED =
      4, /* TCP without SYN; flows 256 * n to 256 * n + 255 match rule n of the bench alone */
};

/* Of interval and burst: `burst` packets at once every burst * interval_ns. */
struct traffic_stream {
  enum traffic_kind kind;
  __u32 flows;       /* that take turns */
  __u32 first;       /* flow number of the first */
  __u32 stride;      /* flow numbers from one to the next */
  __u32 step;        /* turns from one packet to the next; coprime to `flows` */
  __u32 ip_length;   /* what the IP header says; the rest of the frame is padding */
  __u32 burst;       /* of a paced stream: packets at once */
  __u32 round_step;  /* RTP sequence numbers from one packet of a flow to its next */
  __u64 interval_ns; /* of a paced stream: time for each packet; 0: as many as fit */

  /* State of the generator. */
  __u64 due_ns;
  __u64 first_ns; /* of a paced stream: CLOCK_MONOTONIC of the first packet and the last */
  __u64 last_ns;
  __u64 sent;
  __u32 turn;  /* whose it is: 0 to flows - 1 */
  __u32 left;  /* turns left in this round */
  __u32 round; /* of all flows: the RTP sequence number */
  __u32 burst_left;
};

/* Addresses and ports of a flow, in host order. */
struct traffic_flow {
  __u32 source;
  __u32 destination;
  __u16 source_port;
  __u16 destination_port;
};

#define TRAFFIC_MEDIA_SOURCES 0x0a010000u      /* 10.1.0.0/16 */
#define TRAFFIC_DESTINATIONS 0x0a020000u       /* 10.2.0.0/16 */
#define TRAFFIC_SIGNALLING_SOURCES 0x0a400000u /* 10.64.0.0/10 */
#define TRAFFIC_RULED_PORTS 6000u              /* and 8 for each of 256 rules */

#define TRAFFIC_INLINE static inline __attribute__((always_inline))

TRAFFIC_INLINE int is_tcp(enum traffic_kind kind) {
  return kind == TRAFFIC_SYN || kind == TRAFFIC_RULED;
}

TRAFFIC_INLINE struct traffic_flow flow_of(enum traffic_kind kind, __u32 flow) {
  struct traffic_flow out;
  out.source = TRAFFIC_SIGNALLING_SOURCES + (flow & 0x3fffff);
  out.destination = TRAFFIC_DESTINATIONS + (flow & 0xff);
  out.source_port = (__u16)(1024 + (flow & 0x7fff));
  out.destination_port = 5061;
  if (kind == TRAFFIC_RTP) {
    out.source = TRAFFIC_MEDIA_SOURCES + (flow & 0xffff);
    out.source_port = (__u16)(20000 + 2 * ((flow >> 16) & 0xff));
    out.destination_port = (__u16)(10000 + 2 * ((flow >> 8) & 0x3fff));
  } else if (kind == TRAFFIC_INVITE) {
    out.source_port = 5060;
    out.destination_port = 5060;
  } else if (kind == TRAFFIC_RULED) {
    out.destination = TRAFFIC_DESTINATIONS + (flow & 0xffff);
    out.destination_port = (__u16)(TRAFFIC_RULED_PORTS + ((flow >> 5) & 0x7f8) + (flow & 7));
  }
  return out;
}

#endif /* STEM_TRAFFIC_ABI_H */
