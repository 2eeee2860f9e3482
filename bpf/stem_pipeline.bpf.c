// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The pipeline: what happens to a packet, in this order.
 *
 *   parse -> blocks -> fragments -> media pinhole -> deny rules -> SYN guard -> signalling, INVITE
 *   guard -> allow rules / default policy
 *
 * A deny stands above a pinhole: the first packet of a pinhole's peer is held against the rules,
 * the others only when the rules have changed since. Every packet counts for one reason. Loaded by
 * the agent into slot 0 of `pipeline`; module_mode says which modules are in it.
 */
#include "bpf/account.h"
#include "bpf/blocks.h"
#include "bpf/fragments.h"
#include "bpf/invite_guard.h"
#include "bpf/pattern_matcher.h"
#include "bpf/pinhole.h"
#include "bpf/signalling.h"
#include "bpf/syn_guard.h"

static __always_inline __u32 side_of(__u32 ifindex) {
  if (ifindex == outside_ifindex) return STEM_SIDE_OUTSIDE;
  if (ifindex == inside_ifindex) return STEM_SIDE_INSIDE;
  return STEM_SIDE_NONE;
}

static __always_inline struct rule_match ask_rules(const struct packet* packet) {
  const struct rule_match none = {.action = STEM_RULE_END};
  if (module_mode[STEM_MODULE_pattern_matcher] == STEM_MODULE_OFF) return none;
  return match_rules(packet, packet->side);
}

/* Whether the rules deny the packet, and deny in earnest. */
static __always_inline int is_denied(const struct packet* packet, const struct rule_match* match) {
  return match->action == STEM_RULE_DENY &&
         enforced(packet, STEM_MODULE_pattern_matcher, STEM_REASON_rule_denied, match->rule);
}

static __always_inline int judge_later_fragment(struct xdp_md* ctx, struct packet* packet) {
  const enum stem_reason reason = follow_first(packet, listens(ctx, packet));
  if (reason == STEM_REASON_fragment_to_agent) return to_agent(ctx, packet, reason);
  if (reason == STEM_REASON_fragment_passed) return pass(packet, reason);
  return drop(packet, reason, 0);
}

static __always_inline int judge_signalling(struct xdp_md* ctx, struct packet* packet) {
  enum stem_reason reason = STEM_REASON_sip_to_agent;
  if (module_mode[STEM_MODULE_invite_guard] != STEM_MODULE_OFF &&
      packet->side == STEM_SIDE_OUTSIDE) {
    reason = judge_sip(packet, classify_sip(ctx, packet), bpf_ktime_get_coarse_ns());
    if (reason != STEM_REASON_sip_to_agent) {
      if (!enforced(packet, STEM_MODULE_invite_guard, reason, 0)) {
        reason = STEM_REASON_sip_to_agent;
      } else if (reason != STEM_REASON_sip_rate_to_agent) {
        return drop(packet, reason, 0);
      }
    }
  }
  if (packet->fragment) remember_fragment(packet, STEM_FRAGMENT_TO_AGENT);
  return to_agent(ctx, packet, reason);
}

/* What no module had anything to say about: an allow rule, or the default policy. */
static __always_inline int judge_rest(struct packet* packet, const struct rule_match* match) {
  const int allowed = match->action == STEM_RULE_ALLOW;
  if (!allowed && !default_pass) {
    const enum stem_reason reason =
        packet->protocol == IPPROTO_UDP ? STEM_REASON_no_pinhole : STEM_REASON_policy_denied;
    if (enforced(packet, STEM_MODULE_pattern_matcher, reason, 0)) return drop(packet, reason, 0);
  }
  if (packet->fragment) {
    if (!fragments_pass) return drop(packet, STEM_REASON_fragment, 0);
    remember_fragment(packet, STEM_FRAGMENT_PASS);
  }
  return pass(packet, allowed ? STEM_REASON_rule_allowed : STEM_REASON_policy_allowed);
}

static __always_inline int judge(struct xdp_md* ctx, struct packet* packet) {
  if (packet->side == STEM_SIDE_NONE) return drop(packet, STEM_REASON_unknown_interface, 0);

  const int refusal = parse(ctx, packet);
  if (refusal != PARSED) return drop(packet, refusal, 0);
  if (packet->arp) return pass(packet, STEM_REASON_arp_passed);

  const int signalling = is_signalling(packet);
  if (is_blocked(packet, signalling)) return drop(packet, STEM_REASON_blocked, 0);
  if (packet->fragment == FRAGMENT_LATER) return judge_later_fragment(ctx, packet);

  struct stem_pinhole* pinhole = 0;
  if (packet->protocol == IPPROTO_UDP) pinhole = find_pinhole(packet);
  if (pinhole && !is_peer(pinhole, packet)) {
    note_wrong_peer(pinhole);
    return drop(packet, STEM_REASON_wrong_peer, 0);
  }
  struct rule_match match = {.action = STEM_RULE_END};
  if (!pinhole || !is_judged(pinhole)) {
    match = ask_rules(packet);
    if (is_denied(packet, &match)) return drop(packet, STEM_REASON_rule_denied, match.rule);
  }
  if (pinhole) {
    if (packet->fragment) return drop(packet, STEM_REASON_fragment, 0);
    if (match.action != STEM_RULE_DENY) set_judged(pinhole);
    return pass_media(ctx, pinhole, packet);
  }

  if (is_icmp(packet) && !packet->fragment) return pass(packet, STEM_REASON_icmp_passed);
  if (packet->protocol == IPPROTO_TCP && module_mode[STEM_MODULE_syn_guard] != STEM_MODULE_OFF) {
    const int verdict = guard_syn(ctx, packet);
    if (verdict != XDP_PASS) return verdict;
  }
  if (signalling || match.action == STEM_RULE_INSPECT) return judge_signalling(ctx, packet);
  return judge_rest(packet, &match);
}

SEC("xdp")
int stem_pipeline(struct xdp_md* ctx) {
  struct packet packet = {.bytes = ctx->data_end - ctx->data,
                          .side = side_of(ctx->ingress_ifindex)};
  const int verdict = judge(ctx, &packet);
  conclude(&packet);
  return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
