/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Policing (flow monitor, report section 3.1): the byte and packet rate of one pinhole.
 *
 * Charged are IP bytes, from the IP header to the end of the datagram.
 */
#ifndef STEM_POLICING_H
#define STEM_POLICING_H

#include "bpf/parse.h"
#include "bpf/rate.h"

#define POLICED STEM_REASON_MAX /* conforms */

/* Charges one packet at `now` (CLOCK_MONOTONIC): POLICED, or the axis that is exceeded. */
static __always_inline enum stem_reason police(struct stem_pinhole* pinhole,
                                               const struct stem_media_limits* limits,
                                               const struct packet* packet, __u64 now) {
  const __u64 time = now > pinhole->opened_ns ? (now - pinhole->opened_ns) << STEM_RATE_SHIFT : 0;
  const __u64 cost = limits->bytes.cost * packet->ip_length;
  const __u64 packet_cost = limits->packets.cost;
  /* Looked at first, so that what the byte rate refuses takes nothing from the packet rate. */
  if (cost && !rate_has(&pinhole->bytes_tat, time, cost, limits->bytes.tolerance)) {
    return STEM_REASON_media_too_fast;
  }
  if (packet_cost &&
      !take_rate(&pinhole->packets_tat, time, packet_cost, limits->packets.tolerance)) {
    return STEM_REASON_media_too_many;
  }
  if (cost && !take_rate(&pinhole->bytes_tat, time, cost, limits->bytes.tolerance)) {
    return STEM_REASON_media_too_fast;
  }
  return POLICED;
}

#endif /* STEM_POLICING_H */
