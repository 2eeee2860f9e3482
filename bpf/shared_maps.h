/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps both programs know: the slot the root calls, and the counters, one per reason and side
 * on each CPU.
 */
#ifndef STEM_SHARED_MAPS_H
#define STEM_SHARED_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/stem_abi.h"

/*
 * Slot 0: the pipeline in force. Loading a pipeline makes and pins this map, so the slot is filled
 * before the root is attached, and no packet ever meets an empty one.
 */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} pipeline SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, STEM_SIDE_MAX);
  __type(key, __u32); /* enum stem_side */
  __type(value, struct stem_counters);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, STEM_SIDE_MAX);
  __type(key, __u32); /* enum stem_side */
  __type(value, struct stem_counters);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} observed SEC(".maps");

/* `in` is &counters or &observed. */
static __always_inline void count(void* in, __u32 side, enum stem_reason reason, __u32 bytes) {
  struct stem_counters* all = bpf_map_lookup_elem(in, &side);
  if (!all || reason >= STEM_REASON_MAX) return;
  struct stem_count* one = (struct stem_count*)all + reason;
  one->packets++;
  one->bytes += bytes;
}

#endif /* STEM_SHARED_MAPS_H */
