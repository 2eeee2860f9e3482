/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/user_space/program.h"

#include <string.h>

#define FIXED_AT_LOAD static
#include "bpf/stem_pipeline.bpf.c"

/* In a declaration, a number is the length of an array and a type is what a pointer points to. */
#define NUMBER(map, field) (sizeof(*(map).field) / sizeof(int))
#define DECLARED(map)                                                        \
  {                                                                          \
#map, &map, NUMBER(map, type), sizeof(*(map).key), sizeof(*(map).value), \
        NUMBER(map, max_entries)                                             \
  }

const struct declared_map declared_maps[] = {
    DECLARED(pipeline),
    DECLARED(counters),
    DECLARED(observed),
    DECLARED(xsks),
    DECLARED(pinholes),
    DECLARED(pinhole_index),
    DECLARED(pinhole_details),
    DECLARED(media_limits),
    DECLARED(calls),
    {"events", &events, NUMBER(events, type), 0, 0, NUMBER(events, max_entries)},
    DECLARED(event_budget),
    DECLARED(trace),
    DECLARED(blocks),
    DECLARED(block_count),
    DECLARED(fragments),
    DECLARED(early_fragments),
    DECLARED(new_sources),
    DECLARED(sip_sources),
    DECLARED(syn_sources),
    DECLARED(verified_sources),
    DECLARED(syn_destinations),
    DECLARED(permits),
    DECLARED(rule_roots),
    DECLARED(rule_nodes),
    DECLARED(rule_ports),
    DECLARED(rule_services),
    DECLARED(rule_chunks),
    DECLARED(rule_entries),
    DECLARED(rule_counters),
    DECLARED(rule_slots),
};
const __u32 declared_map_count = sizeof(declared_maps) / sizeof(declared_maps[0]);

#define SAME_SIZE(type, name, dimensions) \
  _Static_assert(sizeof(name) == sizeof(((struct pipeline_constants*)0)->name), #name);
PIPELINE_CONSTANTS(SAME_SIZE)

struct pipeline_constants read_pipeline_constants(void) {
  struct pipeline_constants out;
  memset(&out, 0, sizeof(out));
#define READ(type, name, dimensions) memcpy(&out.name, &name, sizeof(name));
  PIPELINE_CONSTANTS(READ)
  return out;
}

void fix_pipeline_constants(const struct pipeline_constants* constants) {
#define FIX(type, name, dimensions) memcpy(&name, &constants->name, sizeof(name));
  PIPELINE_CONSTANTS(FIX)
}

int run_pipeline(struct user_space_context* context) { return stem_pipeline(context); }

struct user_space_match run_pattern_matcher(const struct user_space_packet* from) {
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
