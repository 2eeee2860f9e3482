// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_monitor/idle_media.h"

#include <algorithm>
#include <optional>

#include "common/status_macros.h"

namespace stem {

absl::StatusOr<IdleMedia::Judgement> IdleMedia::Judge(const PinholeTable& table,
                                                      const std::vector<PinholeKey>& pinholes,
                                                      uint64_t since_ns, uint64_t now_ns) const {
  uint64_t newest = since_ns;
  for (const PinholeKey& key : pinholes) {
    ASSIGN_OR_RETURN(const std::optional<Pinhole> pinhole, table.Find(key));
    if (pinhole) newest = std::max({newest, pinhole->use.last_seen_ns, pinhole->use.opened_ns});
  }
  if (pinholes.empty()) return Judgement{false, now_ns + timeout_ns_};
  if (now_ns >= newest + timeout_ns_) return Judgement{true, now_ns};
  return Judgement{false, newest + timeout_ns_};
}

}  // namespace stem
