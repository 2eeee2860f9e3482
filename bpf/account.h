/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Accounting: every exit of the pipeline increments one named counter; drops are also reported to
 * the ring buffer, at most `events_per_second` on each CPU.
 */
#ifndef STEM_ACCOUNT_H
#define STEM_ACCOUNT_H

#include "bpf/maps.h"
#include "bpf/parse.h"
#include "bpf/shared_maps.h"

#define NANOSECONDS_PER_SECOND 1000000000ull

/* Whether this CPU may report one more event in this second; if so, how many it held back. */
static __always_inline int take_event_budget(__u64 now, __u32* suppressed) {
  __u32 zero = 0;
  struct event_budget* budget = bpf_map_lookup_elem(&event_budget, &zero);
  if (!budget) return 0;
  if (now - budget->window_ns >= NANOSECONDS_PER_SECOND) {
    budget->window_ns = now;
    budget->sent = 0;
  }
  if (budget->sent >= events_per_second) {
    budget->suppressed++;
    return 0;
  }
  budget->sent++;
  *suppressed = budget->suppressed;
  budget->suppressed = 0;
  return 1;
}

/* A subprogram: inlined at a dozen exits it would be most of the pipeline. */
static __noinline int report(const struct packet* packet, __u32 side, enum stem_reason reason,
                             __u32 bytes, __u32 rule) {
  const __u64 now = bpf_ktime_get_ns();
  __u32 suppressed = 0;
  if (!take_event_budget(now, &suppressed)) return 0;
  struct stem_event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) return 0; /* the reader is slow; the counter has the packet */
  event->time_ns = now;
  event->reason = reason;
  event->side = side;
  __builtin_memcpy(event->source, packet->source, 16);
  __builtin_memcpy(event->destination, packet->destination, 16);
  event->source_port = packet->source_port;
  event->destination_port = packet->destination_port;
  event->length = bytes > 0xffff ? 0xffff : bytes;
  event->protocol = packet->protocol;
  event->rule = rule;
  event->suppressed = suppressed;
  event->reserved = 0;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

/* Counts and reports a drop. */
static __always_inline int drop(const struct packet* packet, __u32 side, enum stem_reason reason,
                                __u32 bytes, __u32 rule) {
  count(side, reason, bytes);
  report(packet, side, reason, bytes, rule);
  return XDP_DROP;
}

/* Counts a packet that goes to the kernel stack. */
static __always_inline int pass(__u32 side, enum stem_reason reason, __u32 bytes) {
  count(side, reason, bytes);
  return XDP_PASS;
}

#endif /* STEM_ACCOUNT_H */
