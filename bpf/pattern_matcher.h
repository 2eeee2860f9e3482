/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pattern matcher (report, section 3.1): a short list of static rules, first match wins.
 *
 * The list is part of the pipeline that is loaded with it (map `rules`, not pinned), so a new list
 * arrives whole with the swap of slot 0.
 */
#ifndef STEM_PATTERN_MATCHER_H
#define STEM_PATTERN_MATCHER_H

#include "bpf/maps.h"
#include "bpf/parse.h"

struct rule_match {
  enum stem_rule_action action; /* STEM_RULE_END when no rule matched */
  __u8 rule;                    /* 1 + index */
};

/* 16 bytes as two words, compared under the mask. */
static __always_inline int in_prefix(const __u8 address[16], const __u8 prefix[16],
                                     const __u8 mask[16]) {
  const __u64 *a = (const __u64*)address, *p = (const __u64*)prefix, *m = (const __u64*)mask;
  return (a[0] & m[0]) == p[0] && (a[1] & m[1]) == p[1];
}

static __always_inline int rule_covers(const struct stem_rule* rule, const struct packet* packet,
                                       __u32 side) {
  return (rule->from_side == STEM_SIDE_NONE || rule->from_side == side) &&
         (rule->protocol == 0 || rule->protocol == packet->protocol) &&
         packet->source_port >= rule->source_port_first &&
         packet->source_port <= rule->source_port_last &&
         packet->destination_port >= rule->destination_port_first &&
         packet->destination_port <= rule->destination_port_last &&
         in_prefix(packet->source, rule->source, rule->source_mask) &&
         in_prefix(packet->destination, rule->destination, rule->destination_mask);
}

static __always_inline struct rule_match match_rules(const struct packet* packet, __u32 side) {
  struct rule_match match = {.action = STEM_RULE_END, .rule = 0};
  for (__u32 i = 0; i < STEM_MAX_RULES && i < rule_count; i++) {
    __u32 index = i;
    struct stem_rule* rule = bpf_map_lookup_elem(&rules, &index);
    if (!rule || rule->action == STEM_RULE_END) break;
    if (rule_covers(rule, packet, side)) {
      match.action = rule->action;
      match.rule = i + 1;
      break;
    }
  }
  return match;
}

#endif /* STEM_PATTERN_MATCHER_H */
