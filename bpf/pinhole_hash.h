/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a pinhole's bit is in `pinhole_filter`. Shared by the pipeline, which reads it, and the
 * agent, which writes it.
 */
#ifndef STEM_PINHOLE_HASH_H
#define STEM_PINHOLE_HASH_H

#include <linux/types.h>

/* Bits for each pinhole the table can hold: in a full one, an unknown flow in 8 is looked up in
 * vain. */
#define STEM_FILTER_BITS_PER_PINHOLE 8

/*
 * Multiply and fold; the highest bits are the ones to use. `address` is the destination's 16 bytes.
 * Without a secret: who aims at a bit that is set gains a look-up for each packet, as everybody
 * gets who aims at an open pinhole.
 */
static inline __attribute__((always_inline)) __u64 stem_pinhole_hash(const __u64 address[2],
                                                                     __u16 port, __u8 from_side) {
  __u64 hash = address[0] * 0x9e3779b97f4a7c15ull ^ address[1];
  hash ^= (__u64)port << 16 ^ from_side;
  hash ^= hash >> 32;
  return hash * 0xe7037ed1a0b428dbull;
}

#endif /* STEM_PINHOLE_HASH_H */
