/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps of the data plane and what is fixed when a pipeline is loaded.
 *
 * All maps are pinned by name under /sys/fs/bpf/stem/NAME/ and outlive agent and pipeline. Sizes
 * marked "from the configuration" are set by the agent before load.
 */
#ifndef STEM_MAPS_H
#define STEM_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/fixed_at_load.h"
#include "bpf/pinhole_hash.h"
#include "bpf/stem_abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_XSKMAP);
  __uint(max_entries, STEM_SIDE_MAX* STEM_MAX_QUEUES);
  __type(key, __u32); /* side * STEM_MAX_QUEUES + RX queue */
  __type(value, __u32);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} xsks SEC(".maps");

/*
 * The pinholes: a hash table of our own, for the kernel's costs 30 ns and twice the cache lines
 * (measured: docs/decisions). Written by the agent through shared memory: the pinhole first, then
 * its entry in the index. A full table refuses new pinholes (the agent answers 503); it never
 * evicts. A place that came free is used again as late as can be, for a packet may be on its way
 * through it.
 */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 2); /* by limits.pinholes */
  __type(key, __u32);
  __type(value, struct stem_pinhole);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} pinholes SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 2); /* by limits.pinholes */
  __type(key, __u32);
  __type(value, struct stem_pinhole_details);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} pinhole_details SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 2); /* by limits.pinholes */
  __type(key, __u32);
  __type(value, struct stem_pinhole_bucket);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} pinhole_index SEC(".maps");

/*
 * What pinholes allow, each once: a call centre's thousand calls are of a handful of codecs.
 * Written by the agent before a pinhole refers to it, and left alone until no packet can be on its
 * way through one that did. One for each place in `pinholes`.
 */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1); /* by limits.pinholes */
  __type(key, __u32);
  __type(value, struct stem_media_limits);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} media_limits SEC(".maps");

/* Not read by the kernel: what the next agent needs to take over the calls. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 1024); /* limits.calls, from the configuration */
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct stem_call);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} calls SEC(".maps");

/* A full ring loses the event, never the packet's verdict or its counter. */
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} events SEC(".maps");

struct event_budget {
  __u64 window_ns; /* start of the running second */
  __u64 tick;      /* of the kernel, when the clock was last asked */
  __u32 sent;
  __u32 suppressed;
};
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct event_budget);
} event_budget SEC(".maps");

/* Written by a simulation only. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stem_trace);
} trace SEC(".maps");

/* Fixed at load. The verifier removes what a constant makes unreachable. */
FIXED_AT_LOAD __u32 outside_ifindex = 0;
FIXED_AT_LOAD __u32 inside_ifindex = 0;
FIXED_AT_LOAD __u32 default_pass = 0;    /* default_policy: pass */
FIXED_AT_LOAD __u32 agent_down_pass = 0; /* signalling.agent_down: pass */
FIXED_AT_LOAD __u32 rule_generation = 1; /* differs from one rule set to the next, never 0 */
FIXED_AT_LOAD __u32 bucket_shift = 63;   /* leaves a bucket's number of stem_pinhole_hash() */
FIXED_AT_LOAD __u64 pinhole_keys[STEM_PINHOLE_HASH_KEYS]; /* of the seed in the index */
FIXED_AT_LOAD __u32 rules_observe = 0; /* the set has observe rules: every packet must meet it */
FIXED_AT_LOAD __u32 events_per_second = 100; /* per CPU */
FIXED_AT_LOAD __u16 sip_ports[STEM_MAX_SIP_PORTS] = {5060};
FIXED_AT_LOAD __u8 module_mode[STEM_MODULE_MAX]; /* enum stem_module_mode; filled by the agent */
FIXED_AT_LOAD __u32 dry_run = 0;                 /* a simulation: decide, change nothing */

#endif /* STEM_MAPS_H */
