/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a pinhole is in `pinhole_index`. Shared by the pipeline, which reads it, and the agent,
 * which writes it.
 */
#ifndef STEM_PINHOLE_HASH_H
#define STEM_PINHOLE_HASH_H

#include <linux/types.h>

/*
 * Multiply and fold: the highest bits are the bucket's number. `address` is the destination's 16
 * bytes. With a secret, for who talks to the firewall chooses ports and may choose addresses: he
 * could fill one bucket and its neighbour, and others' pinholes there would find no room.
 */
static inline __attribute__((always_inline)) __u64 stem_pinhole_hash(const __u64 address[2],
                                                                     __u16 port, __u8 from_side,
                                                                     __u64 seed) {
  __u64 hash = (address[0] ^ seed) * 0x9e3779b97f4a7c15ull ^ address[1];
  hash ^= (__u64)port << 16 ^ from_side;
  hash = (hash ^ seed >> 32) * 0xff51afd7ed558ccdull;
  hash ^= hash >> 32;
  return hash * 0xe7037ed1a0b428dbull;
}

/* Eight bits that do not tell the bucket. */
static inline __attribute__((always_inline)) __u32 stem_pinhole_tag(__u64 hash) {
  return hash >> 24 & 0xff;
}

/* A bucket's mark for a tag: all but the highest bit. */
static inline __attribute__((always_inline)) __u64 stem_pinhole_mark(__u32 tag) {
  return 1ull << (tag * 63 >> 8);
}

#endif /* STEM_PINHOLE_HASH_H */
