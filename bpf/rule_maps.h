/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The compiled rule set, as tables (docs/decisions/0010): one row of bits for every value a packet
 * can have in each of five dimensions, each rule having its bit. The tables are not pinned: they
 * belong to the pipeline they were loaded with, and so a set arrives whole with the swap of slot 0.
 */
#ifndef STEM_RULE_MAPS_H
#define STEM_RULE_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/fixed_at_load.h"
#include "bpf/rule_abi.h"

/* Sizes and places of the tables below. */
FIXED_AT_LOAD __u32 rule_count = 0;
FIXED_AT_LOAD __u32 rule_words = 0;      /* of 64 rules each: a row's bits */
FIXED_AT_LOAD __u32 rule_aggregates = 0; /* of 64 words each: before a row's bits */
FIXED_AT_LOAD __u32 rule_observers = 0;  /* rules that count and do not decide */
/* Whether a dimension tells packets apart: one where every rule allows everything is left out. */
FIXED_AT_LOAD __u32 rule_dimension_used[STEM_RULE_DIMENSIONS] = {0};
FIXED_AT_LOAD __u32 rule_node_base[2] = {0}; /* in `rule_nodes` */

/* Roots of the two address tries: [0] source, [1] destination. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct stem_rule_roots);
} rule_roots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* by the rule set */
  __type(key, __u32);
  __type(value, struct stem_rule_node);
} rule_nodes SEC(".maps");

/* [0] source, [1] destination. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct stem_rule_ports);
} rule_ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stem_rule_services);
} rule_services SEC(".maps");

/* The rows of all dimensions. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1); /* by the rule set */
  __type(key, __u32);
  __type(value, struct stem_rule_chunk);
} rule_chunks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stem_rule_entries);
} rule_entries SEC(".maps");

/* By slot: a rule keeps its slot, and so its counters, as long as a rule of that name exists. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, STEM_RULE_SLOTS);
  __type(key, __u32);
  __type(value, struct stem_count);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} rule_counters SEC(".maps");

/* Not read by the kernel: which name has which slot, for the next rule set and the next agent. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, STEM_RULE_SLOTS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct stem_rule_name);
  __type(value, __u32);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} rule_slots SEC(".maps");

#endif /* STEM_RULE_MAPS_H */
