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
 * Every way out of the pipeline, one counter each. X(name, is_drop, meaning); the order is the
 * ABI of the `counters` map, so new reasons are added at the end.
 */
#define STEM_REASONS(X)                                                                      \
  X(arp_passed, 0, "ARP, to the kernel")                                                     \
  X(icmp_passed, 0, "ICMP, ICMPv6 and neighbour discovery, to the kernel")                   \
  X(rule_allowed, 0, "allowed by a static rule")                                             \
  X(policy_allowed, 0, "allowed by the default policy")                                      \
  X(sip_to_agent, 0, "SIP signalling handed to the agent by AF_XDP")                         \
  X(agent_down_pass, 0, "SIP signalling passed because no agent listens (agent_down: pass)") \
  X(media_relayed, 0, "media through a pinhole, relayed in XDP")                             \
  X(media_to_stack, 0, "media through a pinhole, routed by the kernel stack")                \
  X(truncated, 1, "headers cut short")                                                       \
  X(bad_header, 1, "IP or UDP header with impossible lengths or version")                    \
  X(not_ip, 1, "neither IP nor ARP")                                                         \
  X(too_many_vlans, 1, "more than two VLAN tags")                                            \
  X(ext_header_cap, 1, "more IPv6 extension headers than the parser follows")                \
  X(fragment, 1, "IP fragment")                                                              \
  X(rule_denied, 1, "denied by a static rule")                                               \
  X(policy_denied, 1, "no rule allows it (default policy)")                                  \
  X(no_pinhole, 1, "UDP to a port no call has negotiated")                                   \
  X(wrong_peer, 1, "media to an open pinhole from an address or port that is not its peer")  \
  X(agent_down, 1, "SIP signalling while no agent listens (agent_down: drop)")               \
  X(unknown_interface, 1, "arrived on an interface that is neither outside nor inside")      \
  X(no_pipeline, 1, "no pipeline program loaded in slot 0")

enum stem_reason {
#define STEM_REASON_ENUM(name, is_drop, meaning) STEM_REASON_##name,
  STEM_REASONS(STEM_REASON_ENUM)
#undef STEM_REASON_ENUM
      STEM_REASON_MAX,
};

/* Map `counters`: per-CPU array indexed by enum stem_side. */
struct stem_count {
  __u64 packets;
  __u64 bytes; /* whole frame */
};
struct stem_counters {
#define STEM_REASON_FIELD(name, is_drop, meaning) struct stem_count name;
  STEM_REASONS(STEM_REASON_FIELD)
#undef STEM_REASON_FIELD
};
STEM_STATIC_ASSERT(sizeof(struct stem_counters) == STEM_REASON_MAX * sizeof(struct stem_count),
                   "one counter per reason");

/* Map `pinholes`: permission for media to one address and port, arriving on one side. */
struct stem_pinhole_key {
  __u8 address[16]; /* destination */
  __u16 port;       /* destination, host order */
  __u8 protocol;    /* IPPROTO_UDP */
  __u8 from_side;   /* enum stem_side: where the packet must come in */
};
STEM_STATIC_ASSERT(sizeof(struct stem_pinhole_key) == 20, "key has no holes");

/* Who may send into a pinhole. */
enum stem_peer_match {
  STEM_PEER_NONE = 0,     /* nobody: an entry that was never filled in */
  STEM_PEER_ENDPOINT = 1, /* exactly peer_address and peer_port */
  STEM_PEER_ADDRESS = 2,  /* peer_address from any port */
  STEM_PEER_ANY = 3,      /* anybody on from_side: offered, not yet answered (RFC 3264, 5.1) */
};

enum stem_media {
  STEM_MEDIA_NONE = 0,
  STEM_MEDIA_RTP = 1,
  STEM_MEDIA_RTCP = 2,
  STEM_MEDIA_RTP_RTCP = 3, /* one port for both (RFC 5761) */
};

struct stem_pinhole {
  __u8 peer_address[16];
  __u16 peer_port; /* host order */
  __u16 reserved;
  enum stem_peer_match peer_match;
  enum stem_media media;
  __u32 reserved2;
  __u64 call;         /* key in `calls` */
  __u64 opened_ns;    /* CLOCK_MONOTONIC */
  __u64 last_seen_ns; /* CLOCK_MONOTONIC of the last conforming packet, 0 before the first */
  __u64 packets;      /* conforming */
  __u64 bytes;        /* conforming, IP header to end of packet */
  __u64 wrong_peer;   /* refused because someone else sent them */
};
STEM_STATIC_ASSERT(sizeof(struct stem_pinhole) == 80, "value has no holes");

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

/*
 * The static rules, compiled (docs/decisions/0010). Dimensions: source address, destination
 * address, source port, destination port, service. Each maps a packet's value to the number of a
 * row in `rule_rows`, counted from the dimension's base.
 */
#define STEM_RULE_DIMENSIONS 5
enum stem_rule_action {
  STEM_RULE_END = 0, /* no rule matched */
  STEM_RULE_ALLOW = 1,
  STEM_RULE_DENY = 2,
  STEM_RULE_INSPECT = 3, /* as SIP, on whatever port */
  STEM_RULE_OBSERVE = 4, /* counted, then the search goes on */
};
/* An entry of an address trie: a row, or with the top bit clear a node counted from its base. */
#define STEM_RULE_LEAF 0x8000

/* The first two bytes of an address. */
struct stem_rule_roots {
  __u16 v4[65536];
  __u16 v6[65536];
};
/* Further bytes: `depth` is the one looked at here, those before it must be as in `key`. */
struct stem_rule_node {
  __u64 key[2];  /* as the address lies in memory */
  __u64 mask[2]; /* all ones before `depth` */
  __u16 miss;    /* the entry when they differ; a row */
  __u16 depth;
  __u32 reserved;
  __u16 child[256];
};
STEM_STATIC_ASSERT(sizeof(struct stem_rule_node) == 552, "value has no holes");

struct stem_rule_ports {
  __u16 row[65536];
};

/*
 * Services: a protocol number (0 to 255) where nothing else is known of the packet, TCP with its
 * flags byte, ICMP and ICMPv6 with their type, UDP with its ports.
 */
#define STEM_SERVICE_TCP 256
#define STEM_SERVICE_ICMP 512
#define STEM_SERVICE_ICMPV6 768
#define STEM_SERVICE_UDP 1024
#define STEM_SERVICES 1025
struct stem_rule_services {
  __u16 outside[STEM_SERVICES]; /* arriving outside */
  __u16 inside[STEM_SERVICES];
};

struct stem_rule_entry {
  __u32 place; /* in the list of rules: the lowest that matches decides */
  enum stem_rule_action action;
  __u32 slot; /* in `rule_counters` */
};
/* By bit. Rules that observe have the first 64 to themselves, if there are any. */
#define STEM_RULE_BITS (STEM_MAX_RULES + 64)
struct stem_rule_entries {
  struct stem_rule_entry of[STEM_RULE_BITS];
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
  __u8 reserved;
  __u32 suppressed; /* events of this CPU not reported before this one */
  __u32 rule;       /* 1 + slot of the rule that decided, 0 for none */
};
STEM_STATIC_ASSERT(sizeof(struct stem_event) == 64, "event has no holes");

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* STEM_ABI_H */
