/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Pinholes: UDP to a negotiated address and port, from its peer, on its side.
 */
#ifndef STEM_PINHOLE_H
#define STEM_PINHOLE_H

#include "bpf/maps.h"
#include "bpf/parse.h"

static __always_inline struct stem_pinhole* find_pinhole(const struct packet* packet, __u32 side) {
  struct stem_pinhole_key key = {
      .port = packet->destination_port, .protocol = packet->protocol, .from_side = side};
  __builtin_memcpy(key.address, packet->destination, 16);
  return bpf_map_lookup_elem(&pinholes, &key);
}

static __always_inline int same_address(const __u8 a[16], const __u8 b[16]) {
  const __u64 *x = (const __u64*)a, *y = (const __u64*)b;
  return x[0] == y[0] && x[1] == y[1];
}

static __always_inline int is_peer(const struct stem_pinhole* pinhole,
                                   const struct packet* packet) {
  switch (pinhole->peer_match) {
    case STEM_PEER_ENDPOINT:
      return packet->source_port == pinhole->peer_port &&
             same_address(packet->source, pinhole->peer_address);
    case STEM_PEER_ADDRESS:
      return same_address(packet->source, pinhole->peer_address);
    case STEM_PEER_ANY:
      return 1;
    default:
      return 0;
  }
}

/*
 * Charges one packet. Several CPUs may serve one flow, hence the atomic adds; the coarse clock
 * (some milliseconds) is enough for idle detection and costs a tenth of the precise one.
 */
static __always_inline void charge(struct stem_pinhole* pinhole, const struct packet* packet) {
  __sync_fetch_and_add(&pinhole->packets, 1);
  __sync_fetch_and_add(&pinhole->bytes, packet->ip_length);
  pinhole->last_seen_ns = bpf_ktime_get_coarse_ns();
}

#endif /* STEM_PINHOLE_H */
