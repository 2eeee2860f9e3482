/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's pattern matcher (bpf/pattern_matcher.h) compiled for user space, so that sanitizers
 * see what the verifier cannot: whether the tables fit each other.
 */
#ifndef STEM_MATCHER_IN_USER_SPACE_H
#define STEM_MATCHER_IN_USER_SPACE_H

#include "bpf/rule_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

struct user_space_rules {
  __u32 count, words, aggregates, observers;
  __u32 dimension_used[STEM_RULE_DIMENSIONS], chunk_count;
  __u32 node_base[2], node_count;
  const struct stem_rule_chunk* chunks;
  const struct stem_rule_node* nodes;
  const struct stem_rule_roots* roots[2];
  const struct stem_rule_ports* ports[2];
  const struct stem_rule_services* services;
  const struct stem_rule_entries* entries;
  struct stem_count* counters; /* `count` of them: slots are the rules' numbers */
  __u64 lookups, steps;        /* made, and looked at, so far */
};

struct user_space_packet {
  __u8 source[16], destination[16];
  __u16 source_port, destination_port, ip_length;
  __u8 protocol, version, transport, tcp_flags, icmp_type;
  __u32 side;
};

struct user_space_match {
  enum stem_rule_action action;
  __u32 rule;
};

/* As the kernel would judge. Not thread-safe. */
struct user_space_match match_in_user_space(struct user_space_rules* rules,
                                            const struct user_space_packet* packet);

#ifdef __cplusplus
}
#endif
#endif
