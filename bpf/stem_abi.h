/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel programs and the agent share: map keys and values, reasons, events.
 *
 * Included by BPF C and by C++. Addresses are 16 bytes in network order everywhere, IPv4 as
 * v4-mapped IPv6 (RFC 4291, 2.5.5.2), so that there is one map of each kind. Ports are in host
 * order, so that a `bpftool map dump` can be read. Every struct is padded by hand and its size
 * asserted, because a pinned map outlives the process that made it.
 */
#ifndef STEM_ABI_H
#define STEM_ABI_H

#include <linux/types.h>

#include "bpf/stem_reasons.h"

#ifdef __cplusplus
#include <cstddef>
#define STEM_STATIC_ASSERT static_assert
extern "C" {
#else
#define STEM_STATIC_ASSERT _Static_assert
#endif

/* Which interface a packet came in on. 0 is no side: maps start zeroed. */
enum stem_side {
  STEM_SIDE_NONE = 0,
  STEM_SIDE_OUTSIDE = 1,
  STEM_SIDE_INSIDE = 2,
  STEM_SIDE_MAX = 3,
};

/* AF_XDP sockets: index in `xsks` = side * STEM_MAX_QUEUES + RX queue. */
#define STEM_MAX_QUEUES 64
/* UDP ports taken as SIP signalling, at most. */
#define STEM_MAX_SIP_PORTS 8
/* Static rules, at most; a row has a bit for each. */
#define STEM_MAX_RULES 16384
/* Rules with the action observe among them, at most: each that matches costs a packet one step. */
#define STEM_MAX_OBSERVERS 64
/* Rule counters: those of the set in force and of the one that replaces it. */
#define STEM_RULE_SLOTS (2 * STEM_MAX_RULES)

/*
 * Maps `counters` (what became of each packet) and `observed` (what a module in observe would have
 * dropped): per-CPU arrays indexed by enum stem_side.
 */
struct stem_count {
  __u64 packets;
  __u64 bytes; /* whole frame */
};
struct stem_counters {
#define STEM_REASON_FIELD(name, is_drop, module, meaning) struct stem_count name;
  STEM_REASONS(STEM_REASON_FIELD)
#undef STEM_REASON_FIELD
};
STEM_STATIC_ASSERT(sizeof(struct stem_counters) == STEM_REASON_MAX * sizeof(struct stem_count),
                   "one counter per reason");

/* A pinhole is permission for media to one address and port, arriving on one side. */
struct stem_pinhole_key {
  __u8 address[16]; /* destination */
  __u16 port;       /* destination, host order */
  __u8 protocol;    /* IPPROTO_UDP */
  __u8 from_side;   /* enum stem_side: where the packet must come in */
};
STEM_STATIC_ASSERT(sizeof(struct stem_pinhole_key) == 20, "key has no holes");

/*
 * Map `pinhole_index`: where a pinhole lies in `pinholes`, by hash of its key (bpf/pinhole_hash.h).
 * A cache line; the last element is not a bucket, its `marks` are the seed of the hash.
 */
#define STEM_BUCKET_SLOTS 14
#define STEM_BUCKET_OVERFLOWS \
  (1ull << 63)                    /* among the marks: some lie in the neighbour, index ^ 1 */
#define STEM_SLOT_PLACE 0xffffffu /* 1 + index in `pinholes`; 0: free */
struct stem_pinhole_bucket {
  __u64 marks; /* a bit for each open pinhole, so that most unknown media ends here */
  __u32 slot[STEM_BUCKET_SLOTS]; /* tag << 24 | place */
};
STEM_STATIC_ASSERT(sizeof(struct stem_pinhole_bucket) == 64, "a cache line");

/* Who may send into a pinhole. */
enum stem_peer_match {
  STEM_PEER_NONE = 0,     /* nobody: an entry that was never filled in */
  STEM_PEER_ENDPOINT = 1, /* exactly peer_address and peer_port */
  STEM_PEER_ADDRESS = 2,  /* peer_address from any port */
  STEM_PEER_ANY = 3,      /* anybody on from_side: offered, not yet answered (RFC 3264, 5.1) */
  STEM_PEER_LATCH = 4,    /* who sends the first good packet, from peer_address unless that is :: */
};

enum stem_media {
  STEM_MEDIA_NONE = 0,
  STEM_MEDIA_RTP = 1,
  STEM_MEDIA_RTCP = 2,
  STEM_MEDIA_RTP_RTCP = 3, /* one port for both (RFC 5761) */
  STEM_MEDIA_UDP = 4,      /* another protocol, such as T.38's udptl: not looked into */
};

/* What a flow negotiated besides (RFC 7983 tells them apart by their first byte). */
enum stem_media_extra {
  STEM_EXTRA_STUN = 1,
  STEM_EXTRA_DTLS = 2,
  STEM_EXTRA_MANY_SSRCS = 4, /* several sources in one flow: SSRC and sequence go unchecked */
};

/*
 * A rate as GCRA (ITU-T I.371, annex A; a token bucket that stores one time). Time in units of
 * 2^-STEM_RATE_SHIFT ns, so that 10 Gbit/s (0.8 ns a byte) is exact to 0.03 %.
 */
#define STEM_RATE_SHIFT 10
struct stem_rate {
  __u64 cost;      /* of one unit (byte, packet): its time at the rate; 0: no limit */
  __u64 tolerance; /* burst x cost: how far the arrival time may run ahead */
};

enum stem_latch { STEM_LATCH_OPEN = 0, STEM_LATCH_TAKING = 1, STEM_LATCH_TAKEN = 2 };

/* Map `media_limits`: what the packets of a flow may be. Pinholes with the same share an entry. */
struct stem_media_limits {
  __u64 payload_types[2]; /* a bit for each negotiated; all zero: not checked */
  struct stem_rate bytes; /* IP bytes */
  struct stem_rate packets;
  __u16 max_length; /* IP bytes of the largest packet; 0: no bound */
  __u16 extras;     /* enum stem_media_extra, or-ed */
  __u8 reserved[12];
};
STEM_STATIC_ASSERT(sizeof(struct stem_media_limits) == 64, "a cache line");

/* Map `pinholes`: what every packet reads, in two cache lines. */
struct stem_pinhole {
  /* The grant: written by the agent, before the index leads here. */
  struct stem_pinhole_key key;
  __u32 limits; /* index in `media_limits` */
  __u8 peer_address[16];
  __u16 peer_port; /* host order */
  __u8 peer_match; /* enum stem_peer_match */
  __u8 media;      /* enum stem_media */
  __u32 place;     /* its own index, here and in `pinhole_details` */
  /* State: written by the kernel, cleared by the agent with a new grant. */
  __u32 rules_judged; /* rule_generation under which the peer was found not denied, or 0 */
  __u32 latch;        /* enum stem_latch */
  __u32 rtp_ssrc;
  __u32 rtp_state;    /* STEM_RTP_PINNED | 0x10000 | number expected for a restart */
  __u64 rtp_window;   /* highest sequence number << 48 | one bit for each of the last 48 */
  __u64 rtp_seen_ns;  /* CLOCK_MONOTONIC of the last good RTP packet of rtp_ssrc */
  __u64 last_seen_ns; /* CLOCK_MONOTONIC of the last conforming packet, 0 before the first */
  __u64 opened_ns;    /* CLOCK_MONOTONIC; the arrival times count from here */
  __u64 bytes_tat;    /* theoretical arrival time, units of 2^-10 ns since opened_ns */
  __u64 packets_tat;
  __u64 packets; /* conforming */
  __u64 bytes;   /* conforming, IP header to end of packet */
};
#define STEM_RTP_PINNED 0x20000u
#define STEM_RTP_WINDOW_BITS 48
STEM_STATIC_ASSERT(sizeof(struct stem_pinhole) == 128, "two cache lines");
STEM_STATIC_ASSERT(__builtin_offsetof(struct stem_pinhole, rtp_window) == 64, "the second one");

/* Map `pinhole_details`, index as in `pinholes`: what few packets need, or none. */
struct stem_pinhole_details {
  __u64 call;       /* key in `calls` */
  __u64 wrong_peer; /* refused because someone else sent them */
  __u64 too_fast;   /* refused by policing */
  __u64 refused;    /* refused by the RTP checks */
  __u8 latched_address[16];
  __u16 latched_port;
  __u8 reserved[14];
};
STEM_STATIC_ASSERT(sizeof(struct stem_pinhole_details) == 64, "a cache line");

/* Map `blocks`: what the dynamic block list refuses. */
struct stem_block_key {
  __u8 source[16];
  __u8 destination[16]; /* ::, all zero: every destination */
};
enum stem_block_scope {
  STEM_BLOCK_SYN = 1, /* TCP connection attempts */
  STEM_BLOCK_SIGNALLING = 2,
  STEM_BLOCK_MEDIA = 4, /* all other UDP */
  STEM_BLOCK_ALL = 0xff,
};
/* Who ordered it. Each has an order of his own, so that none takes back the other's. */
enum stem_block_origin {
  STEM_BLOCK_BY_OPERATOR = 0,
  STEM_BLOCK_BY_SM = 1,
  STEM_BLOCK_ORIGIN_MAX = 2,
};
struct stem_block_order {
  __u64 until_ns; /* CLOCK_MONOTONIC; 0: until it is taken off */
  __u64 packets;  /* dropped */
  __u32 scope;    /* enum stem_block_scope, or-ed; 0: no order */
  __u32 reserved;
};
struct stem_block {
  struct stem_block_order by[STEM_BLOCK_ORIGIN_MAX];
};
STEM_STATIC_ASSERT(sizeof(struct stem_block) == 48, "value has no holes");

/* A limit of the guards: `burst` at once, then one each `cost_ns`; above it, `penalty_ns` of
 * silence. */
struct stem_limit {
  __u64 cost_ns; /* 0: no limit */
  __u64 tolerance_ns;
  __u64 penalty_ns;
};

/* Map `syn_sources` by source address: TCP connection attempts. */
struct stem_syn_source {
  __u64 tat_ns;
  __u64 penalty_until_ns;
  __u64 refused;
};

/* What the INVITE guard tells apart by the first bytes of a datagram. */
enum stem_sip_class {
  STEM_SIP_INVITE = 0,
  STEM_SIP_REGISTER = 1,
  STEM_SIP_OTHER = 2, /* other requests, and what only pretends to be SIP */
  STEM_SIP_RESPONSE = 3,
  STEM_SIP_CLASS_MAX = 4,
};

/* Map `sip_sources` by source address: SIP messages. */
struct stem_sip_source {
  __u64 tat_ns[STEM_SIP_CLASS_MAX];
  __u64 penalty_until_ns;
  __u64 refused;
  __u64 answered; /* handed to the agent in this penalty time, to be answered 503 */
};

/* Map `permits`: outbound TCP connections to a SIP port that were granted. */
struct stem_permit_key {
  __u8 source[16];
  __u8 destination[16];
  __u16 port; /* destination, host order */
  __u16 reserved;
};
struct stem_permit {
  __u64 until_ns; /* CLOCK_MONOTONIC; all ones: until it is taken back */
  __u64 used;     /* SYNs */
};

/* Map `fragments`: what became of a first fragment; the later ones follow it. */
struct stem_fragment_key {
  __u8 source[16];
  __u8 destination[16];
  __u32 id;
  __u8 protocol;
  __u8 from_side;
  __u16 reserved;
};
enum stem_fragment_way { STEM_FRAGMENT_TO_AGENT = 1, STEM_FRAGMENT_PASS = 2 };
struct stem_fragment {
  __u64 until_ns;
  __u64 way; /* enum stem_fragment_way */
};

/* Map `trace`, of a pipeline loaded for simulation only: what it decided. */
struct stem_trace {
  __u32 reason;      /* enum stem_reason */
  __u32 rule;        /* as in stem_event */
  __u64 observed[2]; /* a bit for each reason that a module in observe let pass */
};

/* Map `calls`: the agent's record of a call, written by user space only, read back at restart. */
#define STEM_CALL_ID_MAX 256
#define STEM_TAG_MAX 128
#define STEM_URI_MAX 256
enum stem_call_state {
  STEM_CALL_NONE = 0,
  STEM_CALL_DECIDING = 1,
  STEM_CALL_RINGING = 2,
  STEM_CALL_ESTABLISHED = 3,
  STEM_CALL_ENDING = 4,
};
struct stem_call {
  char call_id[STEM_CALL_ID_MAX]; /* NUL-terminated, as all strings here */
  char caller_tag[STEM_TAG_MAX];
  char callee_tag[STEM_TAG_MAX]; /* empty until a dialog is confirmed */
  char caller[STEM_URI_MAX];
  char callee[STEM_URI_MAX];
  enum stem_call_state state;
  enum stem_side origin;   /* side the INVITE came from */
  __u8 caller_address[16]; /* signalling */
  __u8 callee_address[16]; /* signalling */
  __u16 caller_port;
  __u16 callee_port;
  __u32 cseq;           /* of the INVITE */
  __u64 started_ns;     /* CLOCK_MONOTONIC */
  __u64 answered_ns;    /* 0 until answered */
  __u64 media_expected; /* 1 unless every stream is on hold: idle detection applies */
};
STEM_STATIC_ASSERT(sizeof(struct stem_call) == 1024 + 72, "value has no holes");

enum stem_rule_action {
  STEM_RULE_END = 0, /* no rule matched */
  STEM_RULE_ALLOW = 1,
  STEM_RULE_DENY = 2,
  STEM_RULE_INSPECT = 3, /* as SIP, on whatever port */
  STEM_RULE_OBSERVE = 4, /* counted, then the search goes on */
};

/* Key of `rule_slots`: NUL-terminated, and NUL to its end. */
#define STEM_RULE_NAME_MAX 64
struct stem_rule_name {
  char text[STEM_RULE_NAME_MAX];
};

/* Ring buffer `events`: drops worth an operator's attention, rate-limited in the kernel. */
struct stem_event {
  __u64 time_ns; /* CLOCK_MONOTONIC */
  enum stem_reason reason;
  enum stem_side side;
  __u8 source[16];
  __u8 destination[16];
  __u16 source_port;
  __u16 destination_port;
  __u16 length; /* frame */
  __u8 protocol;
  __u8 observed;    /* 1: a module in observe would have dropped it; it went on */
  __u32 suppressed; /* events of this CPU not reported before this one */
  __u32 rule;       /* 1 + slot of the rule that decided, 0 for none */
};
STEM_STATIC_ASSERT(sizeof(struct stem_event) == 64, "event has no holes");

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* STEM_ABI_H */
