// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/handover.h"

#include <linux/if_ether.h>

#include <cstddef>

#include "agent/dataplane/read_at.h"
#include "bpf/handover.h"

namespace stem {

static_assert(sizeof(stem_handover) == ETH_ALEN);

stem_reason HandedOverFor(std::span<const uint8_t> frame) {
  const auto handover = ReadAt<stem_handover>(frame, offsetof(ethhdr, h_source));
  if (!handover || handover->mark != STEM_HANDOVER_MARK || handover->reason >= STEM_REASON_MAX) {
    return STEM_REASON_sip_to_agent;
  }
  return static_cast<stem_reason>(handover->reason);
}

}  // namespace stem
