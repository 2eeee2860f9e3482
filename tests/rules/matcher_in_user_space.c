/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/rules/matcher_in_user_space.h"

#include <string.h>

static struct user_space_rules* current;

static void user_space_loop(__u32 steps, long (*step)(), void* context) {
  for (__u32 i = 0; i < steps; i++) {
    current->steps++;
    if (step(i, context)) break;
  }
}

#define FIXED_AT_LOAD static
#include "bpf/pattern_matcher.h"

static void* bpf_map_lookup_elem(void* map, const void* key) {
  __u32 index;
  memcpy(&index, key, sizeof(index));
  current->lookups++;
  if (map == &rule_chunks) {
    return index < current->chunk_count ? (void*)(current->chunks + index) : 0;
  }
  if (map == &rule_nodes) {
    return index < current->node_count ? (void*)(current->nodes + index) : 0;
  }
  if (map == &rule_entries) return index < 1 ? (void*)current->entries : 0;
  if (map == &rule_counters) return index < rule_count ? (void*)(current->counters + index) : 0;
  if (map == &rule_services) return index < 1 ? (void*)current->services : 0;
  if (map == &rule_ports) return index < 2 ? (void*)current->ports[index] : 0;
  if (map == &rule_roots) return index < 2 ? (void*)current->roots[index] : 0;
  return 0;
}

struct user_space_match match_in_user_space(struct user_space_rules* rules,
                                            const struct user_space_packet* from) {
  current = rules;
  rule_count = rules->count;
  rule_words = rules->words;
  rule_aggregates = rules->aggregates;
  rule_observers = rules->observers;
  memcpy(rule_dimension_used, rules->dimension_used, sizeof(rule_dimension_used));
  memcpy(rule_node_base, rules->node_base, sizeof(rule_node_base));
  (void)rule_slots;

  struct packet packet __attribute__((aligned(16))) = {0};
  memcpy(packet.source, from->source, 16);
  memcpy(packet.destination, from->destination, 16);
  packet.source_port = from->source_port;
  packet.destination_port = from->destination_port;
  packet.ip_length = from->ip_length;
  packet.protocol = from->protocol;
  packet.version = from->version;
  packet.fragment = from->transport ? FRAGMENT_NONE : FRAGMENT_LATER;
  packet.tcp_flags = from->tcp_flags;
  packet.icmp_type = from->icmp_type;
  const struct rule_match match = match_rules(&packet, from->side);
  return (struct user_space_match){match.action, match.rule};
}
