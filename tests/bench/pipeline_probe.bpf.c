// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The pipeline probe: run by BPF_PROG_TEST_RUN with many repeats, it writes the next frame of a
 * stream, so that the keys vary, and calls what is in slot 0 as the root program does. What the
 * probe costs by itself is measured with the empty program in slot 0.
 */
#include "tests/bench/traffic_frame.h"

/* The data plane's own map, or one with the empty program. */
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} pipeline SEC(".maps");

struct traffic_stream stream;

SEC("xdp")
int probe(struct xdp_md* ctx) {
  if (write_frame(ctx, &stream, 0) != 0) return XDP_ABORTED;
  bpf_tail_call(ctx, &pipeline, 0);
  return XDP_ABORTED;
}

SEC("xdp")
int empty(struct xdp_md* ctx) {
  (void)ctx;
  return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
