/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * SYN guard (flow monitor; report section 4.1): TCP connection attempts from outside.
 *
 * A known source has its own limit; above it, all its SYNs are dropped for the penalty time, then
 * it starts anew. A source becomes known by its first SYN, but only so many a second
 * (`new_sources`): a flood with a million spoofed sources neither thrashes the table nor is slower
 * than one from a single source. Each destination has a limit, too. A SYN above the last two is
 * challenged when `syn_challenge` is on; sources that met the challenge pass both.
 */
#ifndef STEM_SYN_GUARD_H
#define STEM_SYN_GUARD_H

#include "bpf/account.h"
#include "bpf/rate.h"
#include "bpf/signalling.h"
#include "bpf/sources.h"
#include "bpf/syn_challenge.h"

/* A full table forgets the source that was silent longest. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024); /* limits.syn_sources, from the configuration */
  __type(key, struct stem_source_key);
  __type(value, struct stem_syn_source);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} syn_sources SEC(".maps");

/* Sources that met the challenge, and until when that counts. Forgets as the one above. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024); /* limits.verified_sources, from the configuration */
  __type(key, struct stem_source_key);
  __type(value, __u64);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} verified_sources SEC(".maps");

/*
 * Arrival times of the destinations, by hash: two that fall together share a limit. No table, so
 * that nothing can fill it.
 */
#define SYN_DESTINATIONS 4096
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, SYN_DESTINATIONS);
  __type(key, __u32);
  __type(value, __u64);
} syn_destinations SEC(".maps");

/* A full table refuses new permits; it never evicts. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024); /* limits.permits, from the configuration */
  __type(key, struct stem_permit_key);
  __type(value, struct stem_permit);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} permits SEC(".maps");

FIXED_AT_LOAD struct stem_limit syn_source_limit;
FIXED_AT_LOAD struct stem_limit syn_new_source_limit;  /* all new sources together */
FIXED_AT_LOAD struct stem_limit syn_destination_limit; /* of each destination */
FIXED_AT_LOAD __u32 syn_challenge = 0;
FIXED_AT_LOAD __u64 syn_verified_ns = 0; /* how long a met challenge counts */
FIXED_AT_LOAD __u32 syn_permits = 0;     /* outbound SYNs to SIP ports need one */

#define SYN_PASSED STEM_REASON_MAX

static __always_inline int is_verified(const struct packet* packet, __u64 now) {
  if (!syn_challenge) return 0;
  __u64* until = bpf_map_lookup_elem(&verified_sources, packet->source);
  return until && *until > now;
}

static __always_inline int within_destination_limit(const struct packet* packet, __u64 now) {
  if (!syn_destination_limit.cost_ns) return 1;
  __u32 slot = hash_address(packet->destination, packet->destination_port) % SYN_DESTINATIONS;
  __u64* arrival = bpf_map_lookup_elem(&syn_destinations, &slot);
  return !arrival || take_limit(arrival, now, &syn_destination_limit);
}

/* A known source: its own limit and its penalty. */
static __always_inline int within_source_limit(struct stem_syn_source* source, __u64 now) {
  if (is_in_penalty(&source->penalty_until_ns, now, syn_source_limit.penalty_ns)) return 0;
  if (take_limit(&source->tat_ns, now, &syn_source_limit)) return 1;
  if (!dry_run) source->penalty_until_ns = now + syn_source_limit.penalty_ns;
  return 0;
}

/* The SYN passes, or why not. */
static __always_inline enum stem_reason judge_syn(const struct packet* packet, __u64 now) {
  struct stem_syn_source* source = bpf_map_lookup_elem(&syn_sources, packet->source);
  if (source && !within_source_limit(source, now)) {
    if (!dry_run) __sync_fetch_and_add(&source->refused, 1);
    return STEM_REASON_syn_rate;
  }
  const int known = source != 0;
  if (!known && take_new_source(STEM_NEW_SYN_SOURCES, &syn_new_source_limit, now)) {
    const struct stem_syn_source first = {.tat_ns = now + syn_source_limit.cost_ns};
    if (!dry_run) bpf_map_update_elem(&syn_sources, packet->source, &first, BPF_NOEXIST);
  } else if (!known && !is_verified(packet, now)) {
    return STEM_REASON_syn_new_source;
  }
  if (!within_destination_limit(packet, now) && !is_verified(packet, now)) {
    return STEM_REASON_syn_destination;
  }
  return SYN_PASSED;
}

/* Inside to outside, to a SIP port: the security manager has granted it, or it stays here. */
static __always_inline int has_permit(const struct packet* packet) {
  struct stem_permit_key key = {.port = packet->destination_port};
  __builtin_memcpy(key.source, packet->source, 16);
  __builtin_memcpy(key.destination, packet->destination, 16);
  struct stem_permit* permit = bpf_map_lookup_elem(&permits, &key);
  if (!permit || permit->until_ns <= bpf_ktime_get_coarse_ns()) return 0;
  if (!dry_run) __sync_fetch_and_add(&permit->used, 1);
  return 1;
}

/* XDP_PASS: the SYN guard has nothing against this segment. Else the packet is done with. */
static __always_inline int guard_syn(struct xdp_md* ctx, struct packet* packet) {
  if (packet->side != STEM_SIDE_OUTSIDE) {
    if (!syn_permits || !is_syn(packet) || !is_sip_port(packet->destination_port)) return XDP_PASS;
    if (has_permit(packet)) return XDP_PASS;
    return refuse(packet, STEM_MODULE_syn_guard, STEM_REASON_syn_no_permit);
  }
  if (syn_challenge && (packet->tcp_flags & (TCP_RST | TCP_ACK | TCP_SYN)) == TCP_RST &&
      meets_challenge(ctx, packet)) {
    const __u64 until = bpf_ktime_get_coarse_ns() + syn_verified_ns;
    if (!dry_run) bpf_map_update_elem(&verified_sources, packet->source, &until, BPF_ANY);
    /* The server knows nothing of it. */
    return refuse(packet, STEM_MODULE_syn_guard, STEM_REASON_syn_challenge_met);
  }
  if (!is_syn(packet)) return XDP_PASS;
  const enum stem_reason reason = judge_syn(packet, bpf_ktime_get_coarse_ns());
  if (reason == SYN_PASSED) return XDP_PASS;
  __u32 cookie;
  if (syn_challenge && module_mode[STEM_MODULE_syn_guard] == STEM_MODULE_ON &&
      reason != STEM_REASON_syn_rate && packet->plain_header && make_cookie(packet, &cookie)) {
    account(packet, STEM_REASON_syn_challenged);
    return answer_with_challenge(ctx, packet, cookie);
  }
  return refuse(packet, STEM_MODULE_syn_guard, reason);
}

#endif /* STEM_SYN_GUARD_H */
