/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * INVITE guard (flow monitor): SIP messages from outside, counted for each source before anything
 * is copied to the agent. Its table is protected as the SYN guard's: only so many new sources a
 * second become known, and what comes from others above that is dropped.
 */
#ifndef STEM_INVITE_GUARD_H
#define STEM_INVITE_GUARD_H

#include "bpf/account.h"
#include "bpf/rate.h"
#include "bpf/sources.h"

/* A full table forgets the source that was silent longest. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024); /* limits.sip_sources, from the configuration */
  __type(key, struct stem_source_key);
  __type(value, struct stem_sip_source);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} sip_sources SEC(".maps");

FIXED_AT_LOAD struct stem_limit sip_limits[STEM_SIP_CLASS_MAX];
FIXED_AT_LOAD struct stem_limit sip_new_source_limit;
FIXED_AT_LOAD __u64 sip_longest_penalty_ns = 0; /* of sip_limits */
FIXED_AT_LOAD __u32 sip_answered = 0; /* messages of a penalty time that are answered 503 */

#define FOUR_LETTERS(a, b, c, d) ((__u32)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* By the first four bytes; a method is case-sensitive (RFC 3261, 7.1). */
static __always_inline enum stem_sip_class classify_sip(struct xdp_md* ctx,
                                                        const struct packet* packet) {
  __be32* start = transport_at(ctx, packet, sizeof(struct udphdr), sizeof(*start));
  if (!start || packet->payload_length < sizeof(*start)) return STEM_SIP_OTHER;
  switch (bpf_ntohl(*start)) {
    case FOUR_LETTERS('I', 'N', 'V', 'I'):
      return STEM_SIP_INVITE;
    case FOUR_LETTERS('R', 'E', 'G', 'I'):
      return STEM_SIP_REGISTER;
    case FOUR_LETTERS('S', 'I', 'P', '/'):
      return STEM_SIP_RESPONSE;
    default:
      return STEM_SIP_OTHER;
  }
}

/* Whether this one of a penalty time, in which `answered` were, goes to the agent for its 503. */
static __always_inline int is_answered(struct stem_sip_source* source, enum stem_sip_class class,
                                       __u64 answered) {
  if (class == STEM_SIP_RESPONSE || answered >= sip_answered) return 0;
  if (!dry_run) __sync_fetch_and_add(&source->answered, 1);
  return 1;
}

/* The reason this message passes or not: sip_to_agent, sip_rate_to_agent, or a drop. */
static __always_inline enum stem_reason judge_sip(const struct packet* packet,
                                                  enum stem_sip_class class, __u64 now) {
  struct stem_sip_source* source = bpf_map_lookup_elem(&sip_sources, packet->source);
  const volatile struct stem_limit* limit = &sip_limits[class];
  if (!source) {
    if (!take_new_source(STEM_NEW_SIP_SOURCES, &sip_new_source_limit, now)) {
      return STEM_REASON_sip_new_source;
    }
    struct stem_sip_source first = {};
    first.tat_ns[class] = now + limit->cost_ns;
    if (!dry_run) bpf_map_update_elem(&sip_sources, packet->source, &first, BPF_NOEXIST);
    return STEM_REASON_sip_to_agent;
  }
  __u64 answered = source->answered;
  const int in_penalty = is_in_penalty(&source->penalty_until_ns, now, sip_longest_penalty_ns);
  if (!in_penalty) {
    if (take_limit(&source->tat_ns[class], now, limit)) return STEM_REASON_sip_to_agent;
    answered = 0; /* a new penalty time, also where a simulation must not begin it */
    if (!dry_run) {
      source->penalty_until_ns = now + limit->penalty_ns;
      source->answered = 0;
    }
  }
  if (!dry_run) __sync_fetch_and_add(&source->refused, 1);
  /* A limit without penalty has nothing to answer: every message would be the first of its time. */
  return (in_penalty || limit->penalty_ns) && is_answered(source, class, answered)
             ? STEM_REASON_sip_rate_to_agent
             : STEM_REASON_sip_rate;
}

#endif /* STEM_INVITE_GUARD_H */
