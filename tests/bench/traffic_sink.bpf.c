// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The traffic sink: counts and drops what arrives, by stream (the IPv4 identification) and CPU.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/traffic_abi.h"

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, TRAFFIC_STREAMS);
  __type(key, __u32);
  __type(value, __u64);
} arrived SEC(".maps");

SEC("xdp")
int swallow(struct xdp_md* ctx) {
  struct ethhdr* ethernet = (void*)(long)ctx->data;
  struct iphdr* ip = (void*)(ethernet + 1);
  if ((void*)(ip + 1) > (void*)(long)ctx->data_end) return XDP_DROP;
  if (ethernet->h_proto != bpf_htons(ETH_P_IP)) return XDP_DROP;
  __u32 stream = bpf_ntohs(ip->id);
  __u64* packets = bpf_map_lookup_elem(&arrived, &stream);
  if (packets) ++*packets;
  return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
