/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * RTP checks (flow monitor): is this what the call negotiated?
 *
 * The first byte tells RTP, RTCP, STUN and DTLS apart (RFC 7983, 7), the second RTP from RTCP on a
 * shared port (RFC 5761, 4). An RTP packet must be of a negotiated payload type, no larger than its
 * codec makes them, from the source (SSRC) that talks, and new: a sequence number that was seen, or
 * is older than a window of 48, is refused. When nothing good came for `ssrc_relatch_ns`, another
 * SSRC is believed, and a sender that starts its numbers anew as soon as two are consecutive (RFC
 * 3550, A.1); not before, or a recorded stream could be played beside the one that runs. A new
 * grant forgets who talked.
 */
#ifndef STEM_RTP_CHECKS_H
#define STEM_RTP_CHECKS_H

#include "bpf/maps.h"
#include "bpf/parse.h"

#define CHECKED STEM_REASON_MAX /* nothing wrong */
#define RTP_MAX_DROPOUT 3000    /* RFC 3550, A.1: a larger jump ahead is a restart */
#define RTP_TRIES 8
#define RTP_RESTART_EXPECTED 0x10000u
#define RTP_WINDOW_MASK ((1ull << STEM_RTP_WINDOW_BITS) - 1)
#define STUN_MAGIC_COOKIE 0x2112a442 /* RFC 8489, 5 */

FIXED_AT_LOAD __u64 ssrc_relatch_ns = 100000000;

struct rtp_header {
  __u8 version; /* and padding, extension, CSRC count */
  __u8 type;    /* marker and payload type */
  __be16 sequence;
  __be32 timestamp;
  __be32 ssrc;
};

struct rtcp_header {
  __u8 version;
  __u8 type;
  __be16 length; /* in words, less one */
  __be32 ssrc;
};

/* A new source, or a source that starts anew: what came before does not count. */
static __always_inline void pin_source(struct stem_pinhole* pinhole, __u32 ssrc, __u16 sequence,
                                       __u64 now) {
  if (dry_run) return;
  pinhole->rtp_ssrc = ssrc;
  pinhole->rtp_seen_ns = now;
  /* All seen: what came before the first is not waited for. */
  pinhole->rtp_window = ((__u64)sequence << STEM_RTP_WINDOW_BITS) | RTP_WINDOW_MASK;
  pinhole->rtp_state = STEM_RTP_PINNED;
}

static __always_inline int is_silent(const struct stem_pinhole* pinhole, __u64 now) {
  return now >= pinhole->rtp_seen_ns + ssrc_relatch_ns;
}

/* Out of the window: the second of two consecutive numbers after a silence is a restart. */
static __always_inline enum stem_reason out_of_window(struct stem_pinhole* pinhole, __u16 sequence,
                                                      __u64 now) {
  const __u32 expected = pinhole->rtp_state;
  if (is_silent(pinhole, now) && expected == (STEM_RTP_PINNED | RTP_RESTART_EXPECTED | sequence)) {
    pin_source(pinhole, pinhole->rtp_ssrc, sequence, now);
    return CHECKED;
  }
  if (!dry_run) {
    pinhole->rtp_state = STEM_RTP_PINNED | RTP_RESTART_EXPECTED | (__u16)(sequence + 1);
  }
  return STEM_REASON_rtp_sequence;
}

/*
 * CHECKED, rtp_sequence, or OUT_OF_WINDOW. The window is one word, so that two CPUs cannot both let
 * one number pass.
 */
#define OUT_OF_WINDOW (STEM_REASON_MAX + 1)
static __always_inline int check_sequence(__u64* window, __u16 sequence) {
  for (int i = 0; i < RTP_TRIES; i++) {
    const __u64 old = *(volatile __u64*)window;
    const __u16 highest = old >> STEM_RTP_WINDOW_BITS;
    const __u16 ahead = sequence - highest;
    __u64 seen = old & RTP_WINDOW_MASK;
    __u64 next;
    if (ahead && ahead < RTP_MAX_DROPOUT) {
      seen = ahead < STEM_RTP_WINDOW_BITS ? (seen << ahead) & RTP_WINDOW_MASK : 0;
      next = ((__u64)sequence << STEM_RTP_WINDOW_BITS) | seen | 1;
    } else {
      const __u16 behind = -ahead;
      if (behind >= STEM_RTP_WINDOW_BITS) return OUT_OF_WINDOW;
      if (seen >> behind & 1) return STEM_REASON_rtp_sequence;
      next = old | 1ull << behind;
    }
    if (dry_run || __sync_val_compare_and_swap(window, old, next) == old) return CHECKED;
  }
  return STEM_REASON_rtp_sequence;
}

static __always_inline enum stem_reason check_rtp(struct stem_pinhole* pinhole,
                                                  const struct stem_media_limits* limits,
                                                  const struct packet* packet,
                                                  const struct rtp_header* rtp, __u32 length,
                                                  __u64 now) {
  const __u8 type = rtp->type & 0x7f;
  if (length < sizeof(*rtp) + (rtp->version & 0x0f) * 4u) return STEM_REASON_not_media;
  if ((limits->payload_types[0] | limits->payload_types[1]) &&
      !(limits->payload_types[type >> 6] >> (type & 63) & 1)) {
    return STEM_REASON_rtp_payload_type;
  }
  if (limits->max_length && packet->ip_length > limits->max_length) {
    return STEM_REASON_media_too_large;
  }
  if (limits->extras & STEM_EXTRA_MANY_SSRCS) return CHECKED;
  const __u32 ssrc = bpf_ntohl(rtp->ssrc);
  const __u16 sequence = bpf_ntohs(rtp->sequence);
  if (!(pinhole->rtp_state & STEM_RTP_PINNED)) {
    pin_source(pinhole, ssrc, sequence, now);
    return CHECKED;
  }
  if (pinhole->rtp_ssrc != ssrc) {
    if (!is_silent(pinhole, now)) return STEM_REASON_rtp_ssrc;
    pin_source(pinhole, ssrc, sequence, now);
    return CHECKED;
  }
  const int checked = check_sequence(&pinhole->rtp_window, sequence);
  if (checked == OUT_OF_WINDOW) return out_of_window(pinhole, sequence, now);
  if (checked == CHECKED && !dry_run) pinhole->rtp_seen_ns = now;
  return checked;
}

/* RFC 3550, 6.1: the first report of a compound packet lies within it; sizes are whole words. */
static __always_inline enum stem_reason check_rtcp(const struct stem_pinhole* pinhole,
                                                   const struct rtcp_header* rtcp, __u32 length) {
  if (pinhole->media == STEM_MEDIA_RTP) return STEM_REASON_rtcp_invalid;
  if (length < sizeof(*rtcp) || (bpf_ntohs(rtcp->length) + 1u) * 4 > length) {
    return STEM_REASON_rtcp_invalid;
  }
  return CHECKED;
}

/* CHECKED, or what is wrong with the datagram's payload. */
static __always_inline enum stem_reason check_media(struct xdp_md* ctx,
                                                    struct stem_pinhole* pinhole,
                                                    const struct stem_media_limits* limits,
                                                    const struct packet* packet, __u64 now) {
  const __u32 length = packet->payload_length;
  if (pinhole->media == STEM_MEDIA_UDP) return CHECKED;
  /* None of the headers that are looked at is shorter than 8 bytes. */
  const struct rtp_header* rtp =
      transport_at(ctx, packet, sizeof(struct udphdr), sizeof(struct rtcp_header));
  if (!rtp || length < sizeof(struct rtcp_header)) return STEM_REASON_not_media;
  if (rtp->version < 4) {
    const int stun = rtp->timestamp == bpf_htonl(STUN_MAGIC_COOKIE) && length >= 20;
    return stun && limits->extras & STEM_EXTRA_STUN ? CHECKED : STEM_REASON_not_media;
  }
  if (rtp->version >= 20 && rtp->version < 64) {
    return limits->extras & STEM_EXTRA_DTLS ? CHECKED : STEM_REASON_not_media;
  }
  if (rtp->version >> 6 != 2) return STEM_REASON_not_media;
  if (rtp->type >= 192 && rtp->type <= 223) {
    return check_rtcp(pinhole, (const struct rtcp_header*)rtp, length);
  }
  rtp = transport_at(ctx, packet, sizeof(struct udphdr), sizeof(*rtp));
  if (!rtp || pinhole->media == STEM_MEDIA_RTCP) return STEM_REASON_not_media;
  return check_rtp(pinhole, limits, packet, rtp, length, now);
}

#endif /* STEM_RTP_CHECKS_H */
