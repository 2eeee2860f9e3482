/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pattern matcher (report, section 3.1): the static rules, first match wins.
 *
 * Aggregated bit vectors (docs/decisions/0010): each dimension gives one row of bits, a bit saying
 * that its rule allows this packet's value there; a bit set in all five rows is a match. The
 * aggregate words in front of a row say which of its words are not zero, so only words that can
 * hold a match are read: few, because rules with like addresses have bits side by side
 * (bpf/rule_abi.h). The number of lookups does not depend on the number of rules.
 */
#ifndef STEM_PATTERN_MATCHER_H
#define STEM_PATTERN_MATCHER_H

#include "bpf/maps.h"
#include "bpf/parse.h"
#include "bpf/rule_maps.h"

/* What the compiler knows to be 16 bits wide, the verifier of Linux 6.1 forgets in an OR. */
#ifdef __bpf__
#define bound_u16(value) asm volatile("%0 &= 0xffff" : "+r"(value))
#else
#define bound_u16(value) ((value) &= 0xffff)
#endif

/* Every node consumes at least one byte of the address, after the two of the root. */
#define MAX_TRIE_NODES 14

struct rule_match {
  enum stem_rule_action action; /* STEM_RULE_END when no rule matched */
  __u32 rule;                   /* 1 + its slot in `rule_counters`, 0 when none matched */
};

/* Index of the lowest bit of `bits`, which is not 0; BPF has no instruction for it. */
static __always_inline __u32 lowest_bit(__u64 bits) {
  static const __u8 de_bruijn[64] = {
      0,  1,  2,  7,  3,  13, 8,  19, 4,  25, 14, 28, 9,  34, 20, 40, 5,  17, 26, 38, 15, 46,
      29, 48, 10, 31, 35, 54, 21, 50, 41, 57, 63, 6,  12, 18, 24, 27, 33, 39, 16, 37, 45, 47,
      30, 53, 49, 56, 62, 11, 23, 32, 36, 44, 52, 55, 61, 22, 43, 51, 60, 42, 59, 58};
  return de_bruijn[((bits & -bits) * 0x0218a392cd3d5dbfull) >> 58];
}

#define BROKEN_TABLES 0xffffffffu /* a leaf that is no place of any row */

/* The row of an address: the longest prefix of any rule that holds it decides. */
static __always_inline __u32 address_row(const __u8 address[16], __u8 version, __u32 which,
                                         __u32 node_base) {
  const __u64* words = (const __u64*)address;
  struct stem_rule_roots* roots = bpf_map_lookup_elem(&rule_roots, &which);
  if (!roots) return BROKEN_TABLES;
  __u64 top = version == 4 ? address[12] << 8 | address[13] : address[0] << 8 | address[1];
  bound_u16(top);
  __u32 entry = version == 4 ? roots->v4[top] : roots->v6[top];
  for (int i = 0; i < MAX_TRIE_NODES; i++) {
    if (entry & STEM_RULE_LEAF) break;
    __u32 index = node_base + entry;
    struct stem_rule_node* node = bpf_map_lookup_elem(&rule_nodes, &index);
    if (!node) return BROKEN_TABLES;
    if ((words[0] & node->mask[0]) != node->key[0] || (words[1] & node->mask[1]) != node->key[1]) {
      entry = node->miss;
      break;
    }
    entry = node->child[address[node->depth & 15]];
  }
  return entry & STEM_RULE_LEAF ? entry & ~STEM_RULE_LEAF : BROKEN_TABLES;
}

/* What the service dimension calls this packet. Without its header a fragment is only a protocol.
 */
static __always_inline __u32 service_of(const struct packet* packet) {
  /* What the other address family calls ICMP is not read. */
  const int read = packet->fragment != FRAGMENT_LATER;
  if (read && (is_icmp(packet) ||
               (packet->protocol != IPPROTO_ICMP && packet->protocol != IPPROTO_ICMPV6))) {
    switch (packet->protocol) {
      case IPPROTO_UDP:
        return STEM_SERVICE_UDP;
      case IPPROTO_TCP:
        return STEM_SERVICE_TCP + packet->tcp_flags;
      case IPPROTO_ICMP:
        return STEM_SERVICE_ICMP + packet->icmp_type;
      case IPPROTO_ICMPV6:
        return STEM_SERVICE_ICMPV6 + packet->icmp_type;
    }
  }
  return packet->protocol;
}

/* Rows, each from its head on; of dimensions that are in use. */
struct rule_rows {
  const __u64* of[STEM_RULE_DIMENSIONS];
};

/* Dimensions. */
#define BY_SOURCE 0
#define BY_DESTINATION 1
#define BY_SOURCE_PORT 2
#define BY_DESTINATION_PORT 3
#define BY_SERVICE 4

/* NULL: the tables are broken. */
static __always_inline const __u64* row_at(__u32 place) {
  __u32 index = place / STEM_CHUNK_STARTS;
  const struct stem_rule_chunk* chunk = bpf_map_lookup_elem(&rule_chunks, &index);
  return chunk ? &chunk->word[place % STEM_CHUNK_STARTS] : 0;
}

static __always_inline const __u64* address_row_of(const struct packet* packet, __u32 which) {
  return row_at(address_row(which == 0 ? packet->source : packet->destination, packet->version,
                            which, rule_node_base[which]));
}

static __always_inline const __u64* port_row(__u16 port, __u32 which) {
  const struct stem_rule_ports* ports = bpf_map_lookup_elem(&rule_ports, &which);
  return ports ? row_at(ports->row[port]) : 0;
}

static __always_inline const __u64* service_row(const struct packet* packet, __u32 side) {
  const __u32 zero = 0;
  const struct stem_rule_services* services = bpf_map_lookup_elem(&rule_services, &zero);
  __u32 service = service_of(packet);
  keep_pointer(service);
  if (!services || service >= STEM_SERVICES) return 0;
  return row_at(side == STEM_SIDE_OUTSIDE ? services->outside[service] : services->inside[service]);
}

/* 0: the tables are broken. */
static __always_inline int find_rows(const struct packet* packet, __u32 side,
                                     struct rule_rows* rows) {
  const __u64** of = rows->of;
  if (rule_dimension_used[BY_SOURCE] && !(of[BY_SOURCE] = address_row_of(packet, 0))) return 0;
  if (rule_dimension_used[BY_DESTINATION] && !(of[BY_DESTINATION] = address_row_of(packet, 1)))
    return 0;
  if (rule_dimension_used[BY_SOURCE_PORT] &&
      !(of[BY_SOURCE_PORT] = port_row(packet->source_port, 0)))
    return 0;
  if (rule_dimension_used[BY_DESTINATION_PORT] &&
      !(of[BY_DESTINATION_PORT] = port_row(packet->destination_port, 1))) {
    return 0;
  }
  of[BY_SERVICE] = service_row(packet, side); /* always in use */
  return of[BY_SERVICE] != 0;
}

/* Where a search stands. Kept in one struct because bpf_loop() hands its steps one pointer. */
struct rule_search {
  struct rule_rows rows;
  const struct stem_rule_entries* entries;
  __u64 words; /* of this aggregate, still to be looked at; at last: observers that match */
  __u32 aggregate;
  __u32 broken; /* the tables do not fit each other */
  __u32 best;   /* entry of the rule that is first in the list so far */
  __u32 bytes;
};

/* What is in one aggregate of all rows. */
static __always_inline __u64 in_all_aggregates(const struct rule_rows* rows, __u32 aggregate) {
  __u64 all = ~0ull;
  for (int i = 0; i < STEM_RULE_DIMENSIONS; i++) {
    if (rule_dimension_used[i]) all &= rows->of[i][1 + aggregate];
  }
  return all;
}

/* What is in one word of all rows; by their aggregates none has it empty. */
static __always_inline __u64 in_all_words(const struct rule_rows* rows, __u32 word) {
  __u64 all = ~0ull;
  for (int i = 0; i < STEM_RULE_DIMENSIONS; i++) {
    if (!rule_dimension_used[i]) continue;
    const __u64* row = rows->of[i];
    all &= row[1 + rule_aggregates + stem_row_kept(*row, word)];
  }
  return all;
}

static __always_inline void count_rule(__u32 entry, __u32 bytes) {
  __u32 slot = stem_entry_slot(entry);
  struct stem_count* counter = bpf_map_lookup_elem(&rule_counters, &slot);
  if (!counter || dry_run) return;
  counter->packets++;
  counter->bytes += bytes;
}

#ifdef __bpf__
/* One element, never written: zero, but the verifier does not know. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} always_zero SEC(".maps");
#endif

/*
 * Before Linux 6.7 the verifier looks at a bpf_loop() as if it ran once: what one step cannot have
 * written still has, it believes, its first value, and it cuts off the branches for others. A first
 * value it does not know leaves them all in (measured on 6.1: without this no rule ever matched).
 */
static __always_inline __u32 unknown_zero(void) {
#ifdef __bpf__
  __u32 index = 0;
  const __u32* zero = bpf_map_lookup_elem(&always_zero, &index);
  return zero ? *zero : 0;
#else
  return 0;
#endif
}

#define SEARCH_ON 0
#define SEARCH_ENDED 1

/* Looks at the next word of this aggregate that no row has empty; there is one. */
static __always_inline void look_at_word(struct rule_search* search) {
  __u32 word = search->aggregate * 64 + lowest_bit(search->words);
  keep_pointer(word); /* and no other value that is the same is compared */
  search->words &= search->words - 1;
  if (word >= rule_words) {
    search->broken = 1;
    return;
  }
  const __u64 found = in_all_words(&search->rows, word);
  if (!found) return;
  /* Within a word the rules are in the order of the list: its lowest bit is its first match. */
  const __u32 bit = word * 64 + lowest_bit(found);
  if (bit >= STEM_RULE_BITS) {
    search->broken = 1;
    return;
  }
  const __u32 entry = search->entries->of[bit];
  if (entry < search->best) search->best = entry;
}

static long search_step(__u32 step, struct rule_search* search) {
  (void)step;
  if (!search->words) return SEARCH_ENDED;
  look_at_word(search);
  return SEARCH_ON;
}

/* Counts for one of the observers that match, if the packet got as far as it. */
static long observe_step(__u32 step, struct rule_search* search) {
  (void)step;
  if (!search->words) return SEARCH_ENDED;
  const __u32 entry = search->entries->of[lowest_bit(search->words) & 63];
  search->words &= search->words - 1;
  if (entry < search->best) count_rule(entry, search->bytes);
  return SEARCH_ON;
}

/*
 * The first rule that decides about this packet; it and the observing rules before it have counted
 * the packet (IP bytes). Tables that do not fit each other, which no compiler of ours makes, deny.
 *
 * What most packets need is here: an aggregate or two with one word each. Every step of a
 * bpf_loop() is a call, and a return is dear (docs/decisions/0012); but a loop of the language's
 * own over all words would cost the verifier a second with 16,384 rules.
 */
static __noinline __u64 search_rules(const struct packet* packet, __u32 side) {
  const __u64 broken = STEM_RULE_DENY;
  const __u32 zero = 0;
  const __u32 nothing = unknown_zero();
  struct rule_search search = {
      .broken = nothing, .best = STEM_NO_ENTRY - nothing, .bytes = packet->ip_length};
  search.entries = bpf_map_lookup_elem(&rule_entries, &zero);
  if (!search.entries || !find_rows(packet, side, &search.rows)) return broken;

  for (__u32 aggregate = 0; aggregate < STEM_RULE_AGGREGATES; aggregate++) {
    if (aggregate >= rule_aggregates) break;
    search.words = in_all_aggregates(&search.rows, aggregate);
    if (aggregate == 0 && rule_observers) search.words &= ~1ull; /* they have it to themselves */
    if (!search.words) continue;
    search.aggregate = aggregate;
    look_at_word(&search);
    if (!search.words) continue;
    look_at_word(&search);
    if (search.words) bpf_loop(64, search_step, &search, 0);
  }
  if (search.broken) return broken;

  if (rule_observers) {
    search.words = in_all_aggregates(&search.rows, 0) & 1 ? in_all_words(&search.rows, 0) : 0;
    if (search.words) bpf_loop(64, observe_step, &search, 0);
  }
  if (search.best == STEM_NO_ENTRY) return STEM_RULE_END;
  count_rule(search.best, search.bytes);
  return (search.best & STEM_ENTRY_ACTION_MASK) | (__u64)(stem_entry_slot(search.best) + 1) << 32;
}

static __always_inline struct rule_match match_rules(const struct packet* packet, __u32 side) {
  struct rule_match match = {.action = STEM_RULE_END, .rule = 0};
  if (rule_count == 0) return match;
  const __u64 found = search_rules(packet, side);
  match.action = (__u32)found;
  match.rule = found >> 32;
  return match;
}

#endif /* STEM_PATTERN_MATCHER_H */
