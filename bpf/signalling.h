/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Signalling: SIP over UDP leaves the packet stream here, to the agent's AF_XDP socket.
 */
#ifndef STEM_SIGNALLING_H
#define STEM_SIGNALLING_H

#include "bpf/account.h"

static __always_inline int is_sip_port(__u16 port) {
  for (int i = 0; i < STEM_MAX_SIP_PORTS; i++) {
    if (sip_ports[i] && sip_ports[i] == port) return 1;
  }
  return 0;
}

/* Requests go to a signalling port, responses come from one (RFC 3261, 18.2.2). */
static __always_inline int is_signalling(const struct packet* packet) {
  return packet->protocol == IPPROTO_UDP &&
         (is_sip_port(packet->destination_port) || is_sip_port(packet->source_port));
}

static __always_inline int to_agent(struct xdp_md* ctx, const struct packet* packet, __u32 side,
                                    __u32 bytes) {
  __u32 socket = side * STEM_MAX_QUEUES + ctx->rx_queue_index;
  if (ctx->rx_queue_index >= STEM_MAX_QUEUES || !bpf_map_lookup_elem(&xsks, &socket)) {
    if (agent_down_pass) return pass(side, STEM_REASON_agent_down_pass, bytes);
    return drop(packet, side, STEM_REASON_agent_down, bytes, 0);
  }
  count(side, STEM_REASON_sip_to_agent, bytes);
  return bpf_redirect_map(&xsks, socket, XDP_DROP);
}

#endif /* STEM_SIGNALLING_H */
