// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The traffic generator: run by BPF_PROG_TEST_RUN with live frames, it makes a frame of every run
 * and sends it out of one interface.
 */
#include "tests/bench/traffic_frame.h"

#define LATE_NS 1000000 /* a paced stream that is later than this does not catch up */

struct traffic_stream streams[TRAFFIC_STREAMS];
__u32 stream_count = 0; /* paced ones first */
__u32 paced_count = 0;
__u32 egress_ifindex = 0; /* 0: drop the frame, to see what making it costs */
__u32 filler = 0;

/* Whether a packet of a paced stream is to be sent now. */
static __always_inline int is_due(struct traffic_stream* stream, __u64 now) {
  if (stream->burst_left == 0) {
    if (now < stream->due_ns) return 0;
    const __u64 period = stream->interval_ns * stream->burst;
    /* The first time, or after a pause, the clock starts again: nothing is made up for. */
    if (now - stream->due_ns > period + LATE_NS) {
      stream->due_ns = now;
      if (stream->first_ns == 0) stream->first_ns = now;
    }
    stream->due_ns += period;
    stream->burst_left = stream->burst;
  }
  stream->burst_left--;
  stream->last_ns = now;
  return 1;
}

/* The stream of the next frame: a paced one that is due, else the next of the others. */
static __always_inline __u32 choose_stream(void) {
  if (paced_count) {
    const __u64 now = bpf_ktime_get_ns();
    for (__u32 i = 0; i < TRAFFIC_STREAMS && i < paced_count; i++) {
      if (is_due(&streams[i], now)) return i;
    }
  }
  if (stream_count == paced_count) return TRAFFIC_STREAMS;
  __u32 next = filler + 1;
  if (next < paced_count || next >= stream_count) next = paced_count;
  filler = next;
  return next;
}

SEC("xdp")
int generate(struct xdp_md* ctx) {
  const __u32 chosen = choose_stream();
  if (chosen >= TRAFFIC_STREAMS) return XDP_DROP; /* nothing is due yet */
  if (write_frame(ctx, &streams[chosen], chosen) != 0) return XDP_ABORTED;
  return egress_ifindex ? bpf_redirect(egress_ifindex, 0) : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
