/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf/stem_pipeline.bpf.c compiled for user space: its maps as it declares them, what is fixed when
 * it is loaded, and its entries. Not thread-safe; machine.h is what to use it through.
 */
#ifndef STEM_USER_SPACE_PROGRAM_H
#define STEM_USER_SPACE_PROGRAM_H

#include "bpf/pinhole_hash.h"
#include "bpf/rule_abi.h"
#include "tests/user_space/helpers.h"

#ifdef __cplusplus
extern "C" {
#endif

/* X(type, name, dimensions): every constant that the agent fixes at load. */
#define PIPELINE_CONSTANTS(X)                            \
  X(__u32, outside_ifindex, )                            \
  X(__u32, inside_ifindex, )                             \
  X(__u32, default_pass, )                               \
  X(__u32, agent_down_pass, )                            \
  X(__u32, rule_generation, )                            \
  X(__u32, bucket_shift, )                               \
  X(__u64, pinhole_keys, [STEM_PINHOLE_HASH_KEYS])       \
  X(__u32, rules_observe, )                              \
  X(__u32, events_per_second, )                          \
  X(__u16, sip_ports, [STEM_MAX_SIP_PORTS])              \
  X(__u8, module_mode, [STEM_MODULE_MAX])                \
  X(__u32, dry_run, )                                    \
  X(__u32, fragments_pass, )                             \
  X(struct stem_limit, early_fragment_limit, )           \
  X(struct stem_limit, sip_limits, [STEM_SIP_CLASS_MAX]) \
  X(struct stem_limit, sip_new_source_limit, )           \
  X(__u64, sip_longest_penalty_ns, )                     \
  X(__u32, sip_answered, )                               \
  X(__u64, ssrc_relatch_ns, )                            \
  X(__u32, rule_count, )                                 \
  X(__u32, rule_words, )                                 \
  X(__u32, rule_aggregates, )                            \
  X(__u32, rule_observers, )                             \
  X(__u32, rule_dimension_used, [STEM_RULE_DIMENSIONS])  \
  X(__u32, rule_node_base, [2])                          \
  X(__u64, hash_seed, )                                  \
  X(struct stem_limit, syn_source_limit, )               \
  X(struct stem_limit, syn_new_source_limit, )           \
  X(struct stem_limit, syn_destination_limit, )          \
  X(__u32, syn_challenge, )                              \
  X(__u64, syn_verified_ns, )                            \
  X(__u32, syn_permits, )

struct pipeline_constants {
#define PIPELINE_CONSTANT_FIELD(type, name, dimensions) type name dimensions;
  PIPELINE_CONSTANTS(PIPELINE_CONSTANT_FIELD)
#undef PIPELINE_CONSTANT_FIELD
};

/* A map as the program declares it. */
struct declared_map {
  const char* name;
  void* declaration; /* what the program hands to a helper; its first word is the Machine's */
  __u32 type, key_size, value_size, max_entries;
};
extern const struct declared_map declared_maps[];
extern const __u32 declared_map_count;

/* The constants as the source has them, and as they are from now on. */
struct pipeline_constants read_pipeline_constants(void);
void fix_pipeline_constants(const struct pipeline_constants* constants);

/* The pipeline's verdict on the frame in `context`. */
int run_pipeline(struct user_space_context* context);

/* What the pattern matcher alone looks at, and what it finds. */
struct user_space_packet {
  __u8 source[16], destination[16];
  __u16 source_port, destination_port, ip_length;
  __u8 protocol, version, transport, tcp_flags, icmp_type;
  __u32 side;
};
struct user_space_match {
  enum stem_rule_action action;
  __u32 rule; /* 1 + its slot */
};
struct user_space_match run_pattern_matcher(const struct user_space_packet* packet);

#ifdef __cplusplus
}
#endif
#endif
