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
  return packet->protocol == IPPROTO_UDP && packet->fragment != FRAGMENT_LATER &&
         (is_sip_port(packet->destination_port) || is_sip_port(packet->source_port));
}

static __always_inline __u32 socket_of(const struct xdp_md* ctx, const struct packet* packet) {
  return packet->side * STEM_MAX_QUEUES + ctx->rx_queue_index;
}

/* Whether an agent takes what comes in on this queue. */
static __always_inline int listens(const struct xdp_md* ctx, const struct packet* packet) {
  const __u32 socket = socket_of(ctx, packet);
  return ctx->rx_queue_index < STEM_MAX_QUEUES && bpf_map_lookup_elem(&xsks, &socket);
}

/* `reason` says as what the agent gets it. */
static __always_inline int to_agent(struct xdp_md* ctx, struct packet* packet,
                                    enum stem_reason reason) {
  if (!listens(ctx, packet)) {
    if (agent_down_pass) return pass(packet, STEM_REASON_agent_down_pass);
    return drop(packet, STEM_REASON_agent_down, 0);
  }
  account(packet, reason);
  return bpf_redirect_map(&xsks, socket_of(ctx, packet), XDP_DROP);
}

#endif /* STEM_SIGNALLING_H */
