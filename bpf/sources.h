/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the guards share: how many new sources may become known, and a hash of an address.
 */
#ifndef STEM_SOURCES_H
#define STEM_SOURCES_H

#include "bpf/rate.h"

/* Key of the maps by source address; typed, so that a dump can be read. */
struct stem_source_key {
  __u8 address[16];
};

enum stem_new_sources { STEM_NEW_SYN_SOURCES, STEM_NEW_SIP_SOURCES, STEM_NEW_SOURCES_MAX };

/*
 * Arrival time of new sources, one limit for all of each guard. Above it the word is only read, so
 * that a flood on many CPUs does not fight for it.
 */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, STEM_NEW_SOURCES_MAX);
  __type(key, __u32);
  __type(value, __u64);
} new_sources SEC(".maps");

FIXED_AT_LOAD __u64 hash_seed = 0; /* random, from the agent: nobody can aim at a slot */

static __always_inline int take_new_source(__u32 which, const volatile struct stem_limit* limit,
                                           __u64 now) {
  __u64* arrival = bpf_map_lookup_elem(&new_sources, &which);
  return arrival && take_limit(arrival, now, limit);
}

/* Multiply and fold (as wyhash does it) with a secret seed. */
static __always_inline __u32 hash_address(const __u8 address[16], __u16 port) {
  const __u64* words = (const __u64*)address;
  __u64 hash = (words[0] ^ hash_seed) * 0x9e3779b97f4a7c15ull;
  hash = (hash ^ hash >> 32 ^ words[1]) * 0xe7037ed1a0b428dbull;
  hash = (hash ^ hash >> 32 ^ port ^ hash_seed) * 0x8ebc6af09c88c6e3ull;
  return hash >> 32;
}

#endif /* STEM_SOURCES_H */
