/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The modules of the data plane, and every way a packet can leave it.
 *
 * Included by BPF C and by C++.
 */
#ifndef STEM_REASONS_H
#define STEM_REASONS_H

/* X(name, meaning): what can be switched on, to observe, or off. */
#define STEM_MODULES(X)                                                                      \
  X(pattern_matcher, "static rules and the default policy")                                  \
  X(syn_guard, "TCP connection attempts: per source, per destination, outbound permits")     \
  X(invite_guard, "SIP messages per source, before they are copied to the agent")            \
  X(policing, "byte and packet rate of each media flow")                                     \
  X(rtp_checks, "RTP and RTCP headers: version, payload type, SSRC, sequence numbers, size") \
  X(relay, "media routed in XDP; without it, by the kernel stack")

enum stem_module {
  STEM_MODULE_core = 0, /* parsing, blocks, pinholes, signalling: always on */
#define STEM_MODULE_ENUM(name, meaning) STEM_MODULE_##name,
  STEM_MODULES(STEM_MODULE_ENUM)
#undef STEM_MODULE_ENUM
      STEM_MODULE_MAX,
};

enum stem_module_mode {
  STEM_MODULE_OFF = 0,     /* not in the program that is loaded */
  STEM_MODULE_ON = 1,      /* enforces */
  STEM_MODULE_OBSERVE = 2, /* counts and reports what it would drop, and lets it pass */
};

/*
 * Every way out of the pipeline, one counter each. X(name, is_drop, module, meaning); the order is
 * the ABI of the `counters` map, so new reasons are added at the end.
 */
#define STEM_REASONS(X)                                                                            \
  X(arp_passed, 0, core, "ARP, to the kernel")                                                     \
  X(icmp_passed, 0, core, "ICMP, ICMPv6 and neighbour discovery, to the kernel")                   \
  X(rule_allowed, 0, pattern_matcher, "allowed by a static rule")                                  \
  X(policy_allowed, 0, pattern_matcher, "allowed by the default policy")                           \
  X(sip_to_agent, 0, core, "SIP signalling handed to the agent by AF_XDP")                         \
  X(agent_down_pass, 0, core, "SIP signalling passed because no agent listens (agent_down: pass)") \
  X(media_relayed, 0, relay, "media through a pinhole, relayed in XDP")                            \
  X(media_to_stack, 0, relay, "media through a pinhole, routed by the kernel stack")               \
  X(truncated, 1, core, "headers cut short")                                                       \
  X(bad_header, 1, core,                                                                           \
    "IP or UDP header with impossible lengths or version; IPv6 with an IPv4 (v4-mapped) address")  \
  X(not_ip, 1, core, "neither IP nor ARP")                                                         \
  X(too_many_vlans, 1, core, "more than two VLAN tags")                                            \
  X(ext_header_cap, 1, core, "more IPv6 extension headers than the parser follows")                \
  X(fragment, 1, core, "IP fragment of something that may not be fragmented here")                 \
  X(rule_denied, 1, pattern_matcher, "denied by a static rule")                                    \
  X(policy_denied, 1, pattern_matcher, "no rule allows it (default policy)")                       \
  X(no_pinhole, 1, pattern_matcher, "UDP to a port no call has negotiated")                        \
  X(wrong_peer, 1, core, "media to an open pinhole from an address or port that is not its peer")  \
  X(agent_down, 1, core, "SIP signalling while no agent listens (agent_down: drop)")               \
  X(unknown_interface, 1, core, "arrived on an interface that is neither outside nor inside")      \
  X(no_pipeline, 1, core, "no pipeline program loaded in slot 0")                                  \
  X(blocked, 1, core, "source or stream on the dynamic block list")                                \
  X(fragment_to_agent, 0, core, "later fragment of SIP signalling, to the agent by AF_XDP")        \
  X(fragment_passed, 0, core, "later fragment of a packet that a rule allowed (fragments: pass)")  \
  X(fragment_unknown, 1, core, "later fragment without its first one, above what the agent takes") \
  X(syn_rate, 1, syn_guard, "TCP SYN of a source above its threshold or in its penalty time")      \
  X(syn_new_source, 1, syn_guard, "TCP SYN of a new source while too many new sources arrive")     \
  X(syn_destination, 1, syn_guard, "TCP SYN to a destination above its limit")                     \
  X(syn_challenged, 0, syn_guard, "TCP SYN answered with a challenge in the server's place")       \
  X(syn_challenge_met, 1, syn_guard, "RST that met a challenge: its source is verified now")       \
  X(syn_no_permit, 1, syn_guard, "outbound TCP SYN to a SIP port without a permit")                \
  X(sip_rate, 1, invite_guard, "SIP of a source above its rate or in its penalty time")            \
  X(sip_new_source, 1, invite_guard, "SIP of a new source while too many new sources arrive")      \
  X(sip_rate_to_agent, 0, invite_guard, "SIP above the rate, to the agent to be answered 503")     \
  X(media_too_fast, 1, policing, "media above its byte rate")                                      \
  X(media_too_many, 1, policing, "media above its packet rate")                                    \
  X(media_too_large, 1, rtp_checks, "media packet larger than its codec makes them")               \
  X(not_media, 1, rtp_checks, "neither RTP nor RTCP, nor STUN or DTLS that was negotiated")        \
  X(rtp_payload_type, 1, rtp_checks, "RTP of a payload type that was not negotiated")              \
  X(rtp_ssrc, 1, rtp_checks, "RTP of another source than the one that is talking")                 \
  X(rtp_sequence, 1, rtp_checks, "RTP with a repeated or stale sequence number")                   \
  X(rtcp_invalid, 1, rtp_checks, "RTCP where none belongs, or with impossible lengths")

enum stem_reason {
#define STEM_REASON_ENUM(name, is_drop, module, meaning) STEM_REASON_##name,
  STEM_REASONS(STEM_REASON_ENUM)
#undef STEM_REASON_ENUM
      STEM_REASON_MAX,
};

#endif /* STEM_REASONS_H */
