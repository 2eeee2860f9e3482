/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The compiled static rules (docs/decisions/0010), as the compiler of rules writes them and the
 * pattern matcher reads them. Dimensions: source address, destination address, source port,
 * destination port, service. In each, a table leads from a packet's value to a row of bits, one for
 * each rule: whether it allows this value.
 *
 * Most rows are empty nearly everywhere, because rules with like addresses have bits side by side.
 * So a row is kept without its empty words before the first and behind the last that is not, and
 * without its longest empty run between them:
 *
 *   head         which words are left out: STEM_ROW_FIRST, STEM_ROW_GAP_AT, STEM_ROW_GAP
 *   aggregates   a bit for each word of 64 rules, 64 words each: whether it is not empty
 *   words        those that are kept
 */
#ifndef STEM_RULE_ABI_H
#define STEM_RULE_ABI_H

#include "bpf/stem_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STEM_RULE_DIMENSIONS 5

/* By bit. Rules that observe have the first 64 to themselves, if there are any. */
#define STEM_RULE_BITS (STEM_MAX_RULES + 64)
#define STEM_RULE_WORDS (STEM_RULE_BITS / 64)
#define STEM_RULE_AGGREGATES ((STEM_RULE_WORDS + 63) / 64)

/*
 * Rows lie one behind the other in chunks. A row begins in the first STEM_CHUNK_STARTS words of a
 * chunk, and the rest is long enough for what a row can be at most and for what a broken head can
 * point to: so nothing has to be compared while rows are read.
 */
#define STEM_CHUNK_STARTS 4096
#define STEM_ROW_KEPT_MASK 511
struct stem_rule_chunk {
  __u64 word[STEM_CHUNK_STARTS + 1 + STEM_RULE_AGGREGATES + STEM_ROW_KEPT_MASK + 1];
};
STEM_STATIC_ASSERT(STEM_RULE_WORDS <= STEM_ROW_KEPT_MASK, "every word can be pointed to");

/* Of a head, 16 bits each. */
#define STEM_ROW_FIRST 0   /* first word that is kept */
#define STEM_ROW_GAP_AT 16 /* first word of the run in between */
#define STEM_ROW_GAP 32    /* words of that run; 0: there is none */

/* Where a word of a row is, counted from the first that is kept. It is not one that is left out. */
static inline __attribute__((always_inline)) __u32 stem_row_kept(__u64 head, __u32 word) {
  const __u32 gap_at = head >> STEM_ROW_GAP_AT & 0xffff;
  const __u32 gap = head >> STEM_ROW_GAP & 0xffff;
  /* Without a branch: which rows have their word behind the gap is not to be foreseen. */
  const __u32 behind = (__u32)((__s32)(gap_at - 1 - word) >> 31);
  return (word - (__u32)(head & 0xffff) - (gap & behind)) & STEM_ROW_KEPT_MASK;
}

/*
 * What the tables give: the place of a row, which is STEM_CHUNK_STARTS times its chunk's number and
 * where it begins there; in an address trie with STEM_RULE_LEAF, or else the number of a node,
 * counted from its trie's base.
 */
#define STEM_RULE_LEAF 0x80000000u

/* The first two bytes of an address. */
struct stem_rule_roots {
  __u32 v4[65536];
  __u32 v6[65536];
};
/* Further bytes: `depth` is the one looked at here, those before it must be as in `key`. */
struct stem_rule_node {
  __u64 key[2];  /* as the address lies in memory */
  __u64 mask[2]; /* all ones before `depth` */
  __u32 miss;    /* the entry when they differ; a leaf */
  __u32 depth;
  __u32 child[256];
};
STEM_STATIC_ASSERT(sizeof(struct stem_rule_node) == 1064, "value has no holes");

struct stem_rule_ports {
  __u32 row[65536];
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
  __u32 outside[STEM_SERVICES]; /* arriving outside */
  __u32 inside[STEM_SERVICES];
};

/*
 * What is known of a rule besides what it matches, in 32 bits: sixteen rules share a cache line.
 * From the top: its place in the list, so that of two entries the lesser is the rule that decides;
 * its slot in `rule_counters`; its action.
 */
#define STEM_ENTRY_PLACE 18
#define STEM_ENTRY_SLOT 3
#define STEM_ENTRY_SLOT_MASK 0x7fff
#define STEM_ENTRY_ACTION_MASK 7
#define STEM_NO_ENTRY 0xffffffffu /* greater than any; no action is 7 */
STEM_STATIC_ASSERT(STEM_MAX_RULES <= 1 << (32 - STEM_ENTRY_PLACE), "a place has 14 bits");
STEM_STATIC_ASSERT(STEM_RULE_SLOTS - 1 <= STEM_ENTRY_SLOT_MASK, "a slot has 15 bits");
STEM_STATIC_ASSERT(STEM_RULE_OBSERVE < STEM_ENTRY_ACTION_MASK, "an action has 3 bits");

static inline __attribute__((always_inline)) __u32 stem_entry_slot(__u32 entry) {
  return entry >> STEM_ENTRY_SLOT & STEM_ENTRY_SLOT_MASK;
}

struct stem_rule_entries {
  __u32 of[STEM_RULE_BITS];
};

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* STEM_RULE_ABI_H */
