/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Accounting: every exit of the pipeline increments one named counter; drops are also reported to
 * the ring buffer, at most `events_per_second` on each CPU.
 *
 * A pipeline loaded for simulation (`dry_run`) writes its decision to the map `trace` instead, and
 * nothing anywhere else.
 */
#ifndef STEM_ACCOUNT_H
#define STEM_ACCOUNT_H

#include "bpf/maps.h"
#include "bpf/parse.h"
#include "bpf/shared_maps.h"

#define NANOSECONDS_PER_SECOND 1000000000ull

/*
 * In a flood almost every drop ends here: this CPU has reported enough in this second. The clock
 * costs a call, the kernel's tick a load, so the clock is asked once a tick; a lone drop after a
 * quiet time always finds another tick.
 */
static __always_inline int is_held_back(struct event_budget* budget) {
  if (budget->sent < events_per_second) return 0;
  const __u64 tick = bpf_jiffies64();
  if (budget->tick != tick) {
    budget->tick = tick;
    return 0;
  }
  budget->suppressed++;
  return 1;
}

/* Whether this CPU may report one more event in this second; if so, how many it held back. */
static __always_inline int take_event_budget(struct event_budget* budget, __u32* suppressed) {
  const __u64 now = bpf_ktime_get_coarse_ns();
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

/* A subprogram: what is reported is seldom, and so it is off the way of what is not. */
static __noinline int send_event(const struct packet* packet, enum stem_reason reason, __u32 rule,
                                 __u8 observed) {
  __u32 zero = 0, suppressed = 0;
  struct event_budget* budget = bpf_map_lookup_elem(&event_budget, &zero);
  if (!budget || !take_event_budget(budget, &suppressed)) return 0;
  struct stem_event* event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
  if (!event) return 0; /* the reader is slow; the counter has the packet */
  event->time_ns = bpf_ktime_get_ns();
  event->reason = reason;
  event->side = packet->side;
  __builtin_memcpy(event->source, packet->source, 16);
  __builtin_memcpy(event->destination, packet->destination, 16);
  event->source_port = packet->source_port;
  event->destination_port = packet->destination_port;
  event->length = packet->bytes > 0xffff ? 0xffff : packet->bytes;
  event->protocol = packet->protocol;
  event->observed = observed;
  event->suppressed = suppressed;
  event->rule = rule;
  bpf_ringbuf_submit(event, 0);
  return 0;
}

static __always_inline void report(const struct packet* packet, enum stem_reason reason, __u32 rule,
                                   __u8 observed) {
  __u32 zero = 0;
  struct event_budget* budget = bpf_map_lookup_elem(&event_budget, &zero);
  if (budget && !is_held_back(budget)) send_event(packet, reason, rule, observed);
}

/* In a simulation: what was decided. */
static __always_inline void trace_decision(enum stem_reason reason, __u32 rule) {
  __u32 zero = 0;
  struct stem_trace* decided = bpf_map_lookup_elem(&trace, &zero);
  if (!decided) return;
  decided->reason = reason;
  decided->rule = rule;
}

static __always_inline void trace_observed(enum stem_reason reason) {
  __u32 zero = 0;
  struct stem_trace* decided = bpf_map_lookup_elem(&trace, &zero);
  if (!decided) return;
  if (reason < 64) {
    decided->observed[0] |= 1ull << reason;
  } else {
    decided->observed[1] |= 1ull << (reason - 64);
  }
}

/*
 * What becomes of a packet is noted by the functions below, wherever it is decided, and counted and
 * reported once, at the end of the pipeline: two dozen exits share one piece of code.
 */

/* A packet that goes on, by whatever way. */
static __always_inline void account(struct packet* packet, enum stem_reason reason) {
  packet->reason = reason;
}

static __always_inline int drop(struct packet* packet, enum stem_reason reason, __u32 rule) {
  packet->reason = reason;
  packet->rule = rule;
  packet->dropped = 1;
  return XDP_DROP;
}

/* A packet that goes to the kernel stack. */
static __always_inline int pass(struct packet* packet, enum stem_reason reason) {
  account(packet, reason);
  return XDP_PASS;
}

/* The end of the pipeline. */
static __always_inline void conclude(const struct packet* packet) {
  if (dry_run) {
    trace_decision(packet->reason, packet->rule);
    return;
  }
  count(&counters, packet->side, packet->reason, packet->bytes);
  if (packet->dropped) report(packet, packet->reason, packet->rule, 0);
}

/* Counts what a module in observe would have done. */
static __always_inline void observe(const struct packet* packet, enum stem_reason reason) {
  if (dry_run) {
    trace_observed(reason);
  } else {
    count(&observed, packet->side, reason, packet->bytes);
  }
}

/*
 * A module found `reason` to drop the packet. True when it must be dropped; a module in observe
 * counts and reports, and lets it go on.
 */
static __always_inline int enforced(const struct packet* packet, enum stem_module module,
                                    enum stem_reason reason, __u32 rule) {
  if (module_mode[module] != STEM_MODULE_OBSERVE) return 1;
  observe(packet, reason);
  if (!dry_run) report(packet, reason, rule, 1);
  return 0;
}

/* XDP_DROP when the module enforces, XDP_PASS (go on) when it observes. */
static __always_inline int refuse(struct packet* packet, enum stem_module module,
                                  enum stem_reason reason) {
  return enforced(packet, module, reason, 0) ? drop(packet, reason, 0) : XDP_PASS;
}

#endif /* STEM_ACCOUNT_H */
