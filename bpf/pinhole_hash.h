/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a pinhole is in `pinhole_index`. Shared by the pipeline, which reads it, and the agent,
 * which writes it.
 */
#ifndef STEM_PINHOLE_HASH_H
#define STEM_PINHOLE_HASH_H

#include <linux/types.h>

/*
 * Multilinear hashing (Lemire and Kaser, 2014): every 32 bits of the key times a secret number of
 * their own, so that two keys meet by chance alone, whoever chose them. That matters: who talks to
 * the firewall chooses ports and addresses, and could fill one bucket and its neighbour, where
 * others' pinholes would find no room. A fold and a multiplication more scatter keys that count up,
 * which the sums would put side by side. The highest bits are the bucket's number. `address` is the
 * destination's 16 bytes.
 */
#define STEM_PINHOLE_HASH_KEYS 6
static inline __attribute__((always_inline)) __u64 stem_pinhole_hash(const __u64 address[2],
                                                                     __u16 port, __u8 from_side,
                                                                     const volatile __u64* keys) {
  __u64 hash = (address[0] & 0xffffffff) * keys[0] + (address[0] >> 32) * keys[1] +
               (address[1] & 0xffffffff) * keys[2] + (address[1] >> 32) * keys[3] +
               ((__u64)port << 8 | from_side) * keys[4] + keys[5];
  hash ^= hash >> 32;
  return hash * 0xd6e8feb86659fd93ull;
}

/* The keys of a seed (SplitMix64; Steele, Lea and Flood, 2014). */
static inline void stem_pinhole_hash_keys(__u64 seed, __u64 keys[STEM_PINHOLE_HASH_KEYS]) {
  for (int i = 0; i < STEM_PINHOLE_HASH_KEYS; i++) {
    __u64 key = seed += 0x9e3779b97f4a7c15ull;
    key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9ull;
    key = (key ^ key >> 27) * 0x94d049bb133111ebull;
    keys[i] = key ^ key >> 31;
  }
}

/* Eight bits that do not tell the bucket. */
static inline __attribute__((always_inline)) __u32 stem_pinhole_tag(__u64 hash) {
  return hash >> 32 & 0xff;
}

/* A bucket's mark for a tag: all but the highest bit. */
static inline __attribute__((always_inline)) __u64 stem_pinhole_mark(__u32 tag) {
  return 1ull << (tag * 63 >> 8);
}

#endif /* STEM_PINHOLE_HASH_H */
