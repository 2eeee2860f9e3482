/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Signalling: SIP over UDP leaves the packet stream here, to the agent's AF_XDP socket.
 */
#ifndef STEM_SIGNALLING_H
#define STEM_SIGNALLING_H

#include <linux/if_ether.h>

#include "bpf/account.h"
#include "bpf/handover.h"

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

static __always_inline void tell_agent(struct xdp_md* ctx, enum stem_reason reason) {
  struct ethhdr* frame = (void*)(long)ctx->data;
  if ((void*)(frame + 1) > (void*)(long)ctx->data_end) return; /* parse() saw to that */
  struct stem_handover* handover = (void*)frame->h_source;
  handover->mark = STEM_HANDOVER_MARK;
  handover->reason = reason;
}

/* `reason` says as what the agent gets it. */
static __always_inline int to_agent(struct xdp_md* ctx, struct packet* packet,
                                    enum stem_reason reason) {
  if (!listens(ctx, packet)) {
    if (agent_down_pass) return pass(packet, STEM_REASON_agent_down_pass);
    return drop(packet, STEM_REASON_agent_down, 0);
  }
  account(packet, reason);
  tell_agent(ctx, reason);
  return bpf_redirect_map(&xsks, socket_of(ctx, packet), XDP_DROP);
}

#endif /* STEM_SIGNALLING_H */
