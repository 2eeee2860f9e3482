/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pinholes: UDP to a negotiated address and port, from its peer, on its side.
 */
#ifndef STEM_PINHOLE_H
#define STEM_PINHOLE_H

#include "bpf/account.h"
#include "bpf/pinhole_hash.h"
#include "bpf/policing.h"
#include "bpf/relay.h"
#include "bpf/rtp_checks.h"

static __always_inline int same_address(const __u8 a[16], const __u8 b[16]) {
  const __u64 *x = (const __u64*)a, *y = (const __u64*)b;
  return x[0] == y[0] && x[1] == y[1];
}

/*
 * Asks for the cache line that the checks will read, while the first is still on its way. Reading
 * the clock waits for all loads before it, so that without this they would come one after the
 * other.
 */
static __always_inline void fetch(const struct stem_pinhole* pinhole) {
  (void)*(const volatile __u64*)&pinhole->rtp_window;
}

static __always_inline int is_for(const struct stem_pinhole* pinhole, const struct packet* packet) {
  return pinhole->key.port == packet->destination_port && pinhole->key.from_side == packet->side &&
         same_address(pinhole->key.address, packet->destination);
}

static __always_inline struct stem_pinhole* search_bucket(const struct stem_pinhole_bucket* bucket,
                                                          __u32 tag, const struct packet* packet) {
  for (int i = 0; i < STEM_BUCKET_SLOTS; i++) {
    const __u32 slot = *(const volatile __u32*)&bucket->slot[i];
    if (slot >> 24 != tag) continue;
    __u32 place = (slot & STEM_SLOT_PLACE) - 1;
    struct stem_pinhole* pinhole = bpf_map_lookup_elem(&pinholes, &place); /* not of a free slot */
    if (!pinhole) continue;
    fetch(pinhole);
    if (is_for(pinhole, packet)) return pinhole;
  }
  return 0;
}

/* A function: few buckets ever overflow. */
static __noinline struct stem_pinhole* search_neighbour(const struct packet* packet, __u32 index,
                                                        __u32 tag) {
  index ^= 1;
  const struct stem_pinhole_bucket* bucket = bpf_map_lookup_elem(&pinhole_index, &index);
  return bucket ? search_bucket(bucket, tag, packet) : 0;
}

static __always_inline struct stem_pinhole* find_pinhole(const struct packet* packet) {
  const __u64 hash = stem_pinhole_hash((const __u64*)packet->destination, packet->destination_port,
                                       packet->side, pinhole_keys);
  const __u32 tag = stem_pinhole_tag(hash);
  __u32 index = hash >> bucket_shift;
  const struct stem_pinhole_bucket* bucket = bpf_map_lookup_elem(&pinhole_index, &index);
  if (!bucket) return 0;
  const __u64 marks = *(const volatile __u64*)&bucket->marks;
  if (!(marks & stem_pinhole_mark(tag))) return 0;
  struct stem_pinhole* pinhole = search_bucket(bucket, tag, packet);
  if (!pinhole && marks & STEM_BUCKET_OVERFLOWS) return search_neighbour(packet, index, tag);
  return pinhole;
}

static __always_inline struct stem_pinhole_details* details_of(const struct stem_pinhole* pinhole) {
  return bpf_map_lookup_elem(&pinhole_details, &pinhole->place);
}

static __always_inline int is_unspecified(const __u8 a[16]) {
  const __u64* x = (const __u64*)a;
  return (x[0] | x[1]) == 0;
}

/* Who latches: the first to send a good packet, from peer_address where that is given. */
static __always_inline int is_latched(const struct stem_pinhole* pinhole,
                                      const struct packet* packet) {
  if (pinhole->latch == STEM_LATCH_TAKEN) {
    const struct stem_pinhole_details* details = details_of(pinhole);
    return details && packet->source_port == details->latched_port &&
           same_address(packet->source, details->latched_address);
  }
  return is_unspecified(pinhole->peer_address) ||
         same_address(packet->source, pinhole->peer_address);
}

static __always_inline int is_peer(const struct stem_pinhole* pinhole,
                                   const struct packet* packet) {
  switch (pinhole->peer_match) {
    case STEM_PEER_ENDPOINT:
      return packet->source_port == pinhole->peer_port &&
             same_address(packet->source, pinhole->peer_address);
    case STEM_PEER_ADDRESS:
      return same_address(packet->source, pinhole->peer_address);
    case STEM_PEER_ANY:
      return 1;
    case STEM_PEER_LATCH:
      return is_latched(pinhole, packet);
    default:
      return 0;
  }
}

/* One CPU takes the latch; a packet of another that comes meanwhile passes as the first did. */
static __always_inline void latch_peer(struct stem_pinhole* pinhole, const struct packet* packet) {
  if (dry_run || pinhole->latch != STEM_LATCH_OPEN) return;
  if (__sync_val_compare_and_swap(&pinhole->latch, STEM_LATCH_OPEN, STEM_LATCH_TAKING) !=
      STEM_LATCH_OPEN) {
    return;
  }
  struct stem_pinhole_details* details = details_of(pinhole);
  if (!details) return;
  __builtin_memcpy(details->latched_address, packet->source, 16);
  details->latched_port = packet->source_port;
  /* After the address; unless the agent has begun anew meanwhile. */
  __sync_val_compare_and_swap(&pinhole->latch, STEM_LATCH_TAKING, STEM_LATCH_TAKEN);
}

/* One 5-tuple and no other can pass: what the rules said of it once holds until they change. */
static __always_inline int has_one_peer(const struct stem_pinhole* pinhole) {
  return pinhole->peer_match == STEM_PEER_ENDPOINT ||
         (pinhole->peer_match == STEM_PEER_LATCH && pinhole->latch == STEM_LATCH_TAKEN);
}

static __always_inline int is_judged(const struct stem_pinhole* pinhole) {
  return !rules_observe && pinhole->rules_judged == rule_generation && has_one_peer(pinhole);
}

static __always_inline void set_judged(struct stem_pinhole* pinhole) {
  if (!dry_run && has_one_peer(pinhole)) pinhole->rules_judged = rule_generation;
}

/*
 * Counts one conforming packet. Plain adds: a flow comes in on one queue, and were it on two, a
 * count could be lost, which costs less than two locked adds for every packet. What decides (rates,
 * sequence window) is exact.
 */
static __always_inline void charge(struct stem_pinhole* pinhole, const struct packet* packet,
                                   __u64 now) {
  if (dry_run) return;
  pinhole->packets++;
  pinhole->bytes += packet->ip_length;
  pinhole->last_seen_ns = now;
}

static __always_inline void note_wrong_peer(const struct stem_pinhole* pinhole) {
  struct stem_pinhole_details* details = dry_run ? 0 : details_of(pinhole);
  if (details) __sync_fetch_and_add(&details->wrong_peer, 1);
}

static __always_inline void note_too_fast(const struct stem_pinhole* pinhole) {
  struct stem_pinhole_details* details = dry_run ? 0 : details_of(pinhole);
  if (details) __sync_fetch_and_add(&details->too_fast, 1);
}

static __always_inline void note_refused(const struct stem_pinhole* pinhole) {
  struct stem_pinhole_details* details = dry_run ? 0 : details_of(pinhole);
  if (details) __sync_fetch_and_add(&details->refused, 1);
}

/* A packet of the pinhole's peer that no rule denies: checked, policed, relayed. */
static __always_inline int pass_media(struct xdp_md* ctx, struct stem_pinhole* pinhole,
                                      struct packet* packet) {
  const struct stem_media_limits* limits = bpf_map_lookup_elem(&media_limits, &pinhole->limits);
  if (!limits) return drop(packet, STEM_REASON_no_pinhole, 0); /* nobody wrote such an entry */
  const __u64 now = bpf_ktime_get_ns();
  if (module_mode[STEM_MODULE_rtp_checks] != STEM_MODULE_OFF) {
    const enum stem_reason wrong = check_media(ctx, pinhole, limits, packet, now);
    if (wrong != CHECKED) {
      note_refused(pinhole);
      if (enforced(packet, STEM_MODULE_rtp_checks, wrong, 0)) return drop(packet, wrong, 0);
    }
  }
  if (module_mode[STEM_MODULE_policing] != STEM_MODULE_OFF) {
    const enum stem_reason exceeded = police(pinhole, limits, packet, now);
    if (exceeded != POLICED) {
      note_too_fast(pinhole);
      if (enforced(packet, STEM_MODULE_policing, exceeded, 0)) return drop(packet, exceeded, 0);
    }
  }
  if (pinhole->peer_match == STEM_PEER_LATCH) latch_peer(pinhole, packet);
  charge(pinhole, packet, now);
  return relay(ctx, packet);
}

#endif /* STEM_PINHOLE_H */
