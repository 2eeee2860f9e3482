// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The root: attached once to both interfaces, it only calls the pipeline in slot 0. So the agent
 * can change the pipeline under traffic by one map update, and nothing is ever detached.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <xdp/xdp_helpers.h>

#include "bpf/shared_maps.h"

/* Early in a dispatcher's order, and the last word on every packet. */
struct {
  __uint(priority, 10);
} XDP_RUN_CONFIG(stem_root);

SEC("xdp")
int stem_root(struct xdp_md* ctx) {
  bpf_tail_call(ctx, &pipeline, 0);

  /* Only without a pipeline: a firewall without rules lets nothing through. */
  count(&counters, STEM_SIDE_NONE, STEM_REASON_no_pipeline, ctx->data_end - ctx->data);
  return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
