/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Rates: the generic cell rate algorithm (ITU-T I.371, annex A), which is a token bucket whose only
 * state is the theoretical arrival time of the next unit. One word, updated by compare-and-swap: no
 * lock, and no update is lost when several CPUs serve one flow.
 */
#ifndef STEM_RATE_H
#define STEM_RATE_H

#include "bpf/maps.h"

/* Each failed try means that another CPU got its packet through; so many in a row do not happen. */
#define RATE_TRIES 8

/*
 * Takes `cost` at time `now`; true when it conforms. What does not conform leaves no mark. Any
 * unit of time, the same for all.
 */
static __always_inline int take_rate(__u64* arrival, __u64 now, __u64 cost, __u64 tolerance) {
  for (int i = 0; i < RATE_TRIES; i++) {
    const __u64 old = *(volatile __u64*)arrival;
    const __u64 next = (old > now ? old : now) + cost;
    if (next - now > tolerance) return 0;
    if (dry_run || __sync_val_compare_and_swap(arrival, old, next) == old) return 1;
  }
  return 0;
}

/* As take_rate(), without taking. */
static __always_inline int rate_has(const __u64* arrival, __u64 now, __u64 cost, __u64 tolerance) {
  const __u64 old = *(volatile __u64*)arrival;
  return (old > now ? old : now) + cost - now <= tolerance;
}

/*
 * Limits change while the sources they are for are remembered. A time that lies farther ahead than
 * the limit in force lets anything get is of another limit, and does not count; within this much,
 * CPUs may disagree about the time.
 */
#define OTHER_LIMIT_NS 1000000000ull

static __always_inline int is_of_other_limit(__u64 time, __u64 now, __u64 farthest) {
  return time > now && time - now > farthest + OTHER_LIMIT_NS;
}

static __always_inline int take_limit(__u64* arrival, __u64 now,
                                      const volatile struct stem_limit* limit) {
  if (!limit->cost_ns) return 1;
  const __u64 old = *(volatile __u64*)arrival;
  if (is_of_other_limit(old, now, limit->tolerance_ns)) {
    if (dry_run) return 1;
    __sync_val_compare_and_swap(arrival, old, now);
  }
  return take_rate(arrival, now, limit->cost_ns, limit->tolerance_ns);
}

/* Whether a penalty time runs that a limit in force may have begun, `longest` of them. */
static __always_inline int is_in_penalty(__u64* until, __u64 now, __u64 longest) {
  if (now >= *until) return 0;
  if (!is_of_other_limit(*until, now, longest)) return 1;
  if (!dry_run) *until = 0; /* the agent reads it, too */
  return 0;
}

#endif /* STEM_RATE_H */
