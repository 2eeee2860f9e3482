/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Dynamic blocks (part of the pattern matcher): sources, and streams from a source to one
 * destination, refused for a time.
 */
#ifndef STEM_BLOCKS_H
#define STEM_BLOCKS_H

#include "bpf/account.h"

/* A full table refuses new blocks (stemctl says so); it never evicts. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024); /* limits.blocks, from the configuration */
  __type(key, struct stem_block_key);
  __type(value, struct stem_block);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} blocks SEC(".maps");

/* Element 0: how many blocks there are, so that an empty list costs one comparison. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} block_count SEC(".maps");

static __always_inline __u32 block_scope_of(const struct packet* packet, int signalling) {
  if (signalling) return STEM_BLOCK_SIGNALLING;
  if (packet->protocol == IPPROTO_UDP) return STEM_BLOCK_MEDIA;
  if (packet->protocol == IPPROTO_TCP && is_syn(packet)) return STEM_BLOCK_SYN;
  return 0; /* of STEM_BLOCK_ALL only */
}

static __always_inline int block_order_hits(struct stem_block_order* order, __u32 scope) {
  if (order->scope != STEM_BLOCK_ALL && !(order->scope & scope)) return 0;
  if (order->until_ns && order->until_ns <= bpf_ktime_get_coarse_ns()) return 0;
  if (!dry_run) __sync_fetch_and_add(&order->packets, 1);
  return 1;
}

/* A packet that both have blocked is counted for the operator. */
static __always_inline int block_hits(const struct stem_block_key* key, __u32 scope) {
  struct stem_block* block = bpf_map_lookup_elem(&blocks, key);
  if (!block) return 0;
  return block_order_hits(&block->by[STEM_BLOCK_BY_OPERATOR], scope) ||
         block_order_hits(&block->by[STEM_BLOCK_BY_SM], scope);
}

static __always_inline int is_blocked(const struct packet* packet, int signalling) {
  __u32 zero = 0;
  __u64* known = bpf_map_lookup_elem(&block_count, &zero);
  if (!known || !*known) return 0;
  const __u32 scope = block_scope_of(packet, signalling);
  struct stem_block_key key = {};
  __builtin_memcpy(key.source, packet->source, 16);
  if (block_hits(&key, scope)) return 1;
  __builtin_memcpy(key.destination, packet->destination, 16);
  return block_hits(&key, scope);
}

#endif /* STEM_BLOCKS_H */
