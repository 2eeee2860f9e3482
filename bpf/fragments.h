/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments: the first one is judged like a whole packet, the later ones follow it. Fragments of
 * SIP go to the agent, all of them; those of what a rule allows pass with `fragments: pass`; media
 * is never fragmented here. A later fragment that comes before its first goes to the agent, which
 * waits for the first, but only so many a second.
 */
#ifndef STEM_FRAGMENTS_H
#define STEM_FRAGMENTS_H

#include "bpf/account.h"
#include "bpf/rate.h"

/* A full table forgets the oldest: its later fragments are unknown. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024); /* limits.fragments, from the configuration */
  __type(key, struct stem_fragment_key);
  __type(value, struct stem_fragment);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} fragments SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64); /* arrival time of fragments without their first */
} early_fragments SEC(".maps");

FIXED_AT_LOAD __u32 fragments_pass = 0; /* fragments: pass */
FIXED_AT_LOAD struct stem_limit early_fragment_limit;
#define FRAGMENT_LIFETIME_NS 30000000000ull /* as Linux, net.ipv4.ipfrag_time */

static __always_inline struct stem_fragment_key fragment_key(const struct packet* packet) {
  struct stem_fragment_key key = {.id = packet->fragment_id, .from_side = packet->side};
  /* IPv6 identifies without the protocol, which the later fragments may not know. */
  if (packet->version == 4) key.protocol = packet->protocol;
  __builtin_memcpy(key.source, packet->source, 16);
  __builtin_memcpy(key.destination, packet->destination, 16);
  return key;
}

static __always_inline void remember_fragment(const struct packet* packet,
                                              enum stem_fragment_way way) {
  if (dry_run) return;
  const struct stem_fragment_key key = fragment_key(packet);
  const struct stem_fragment value = {bpf_ktime_get_coarse_ns() + FRAGMENT_LIFETIME_NS, way};
  bpf_map_update_elem(&fragments, &key, &value, BPF_ANY);
}

/* Which way a later fragment goes: fragment_to_agent, fragment_passed, or a drop. */
static __always_inline enum stem_reason follow_first(const struct packet* packet,
                                                     int agent_listens) {
  const __u64 now = bpf_ktime_get_coarse_ns();
  const struct stem_fragment_key key = fragment_key(packet);
  struct stem_fragment* first = bpf_map_lookup_elem(&fragments, &key);
  if (first && first->until_ns > now) {
    return first->way == STEM_FRAGMENT_TO_AGENT ? STEM_REASON_fragment_to_agent
                                                : STEM_REASON_fragment_passed;
  }
  if (packet->protocol != IPPROTO_UDP) return STEM_REASON_fragment;
  if (!agent_listens) return STEM_REASON_fragment_unknown; /* agent_down: pass is not for these */
  __u32 zero = 0;
  __u64* arrival = bpf_map_lookup_elem(&early_fragments, &zero);
  if (arrival && take_limit(arrival, now, &early_fragment_limit)) {
    return STEM_REASON_fragment_to_agent;
  }
  return STEM_REASON_fragment_unknown;
}

#endif /* STEM_FRAGMENTS_H */
