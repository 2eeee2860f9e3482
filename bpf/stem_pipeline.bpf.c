// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The pipeline: what happens to a packet, in this order.
 *
 *   parse -> deny rules -> media pinhole -> signalling -> allow rules / default policy
 *
 * Every return counts one reason. Loaded by the agent into slot 0 of `pipeline`.
 */
#include "bpf/account.h"
#include "bpf/pattern_matcher.h"
#include "bpf/pinhole.h"
#include "bpf/relay.h"
#include "bpf/signalling.h"

static __always_inline __u32 side_of(__u32 ifindex) {
  if (ifindex == outside_ifindex) return STEM_SIDE_OUTSIDE;
  if (ifindex == inside_ifindex) return STEM_SIDE_INSIDE;
  return STEM_SIDE_NONE;
}

SEC("xdp")
int stem_pipeline(struct xdp_md* ctx) {
  struct packet packet = {};
  const __u32 bytes = ctx->data_end - ctx->data;
  const __u32 side = side_of(ctx->ingress_ifindex);
  if (side == STEM_SIDE_NONE) {
    return drop(&packet, side, STEM_REASON_unknown_interface, bytes, 0);
  }

  const enum stem_reason refusal = parse(ctx, &packet);
  if (refusal != PARSED) return drop(&packet, side, refusal, bytes, 0);
  if (packet.arp) return pass(side, STEM_REASON_arp_passed, bytes);

  const struct rule_match match = match_rules(&packet, side);
  if (match.action == STEM_RULE_DENY) {
    return drop(&packet, side, STEM_REASON_rule_denied, bytes, match.rule);
  }
  if (packet.protocol == (packet.version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
    return pass(side, STEM_REASON_icmp_passed, bytes);
  }
  if (packet.protocol == IPPROTO_UDP) {
    struct stem_pinhole* pinhole = find_pinhole(&packet, side);
    if (pinhole) {
      if (!is_peer(pinhole, &packet)) {
        __sync_fetch_and_add(&pinhole->wrong_peer, 1);
        return drop(&packet, side, STEM_REASON_wrong_peer, bytes, 0);
      }
      charge(pinhole, &packet);
      return relay(ctx, &packet, side, bytes);
    }
  }
  if (is_signalling(&packet) || match.action == STEM_RULE_INSPECT)
    return to_agent(ctx, &packet, side, bytes);

  if (match.action == STEM_RULE_ALLOW) return pass(side, STEM_REASON_rule_allowed, bytes);
  if (default_pass) return pass(side, STEM_REASON_policy_allowed, bytes);
  return drop(&packet, side,
              packet.protocol == IPPROTO_UDP ? STEM_REASON_no_pinhole : STEM_REASON_policy_denied,
              bytes, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
