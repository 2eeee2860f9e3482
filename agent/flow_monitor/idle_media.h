// SPDX-License-Identifier: Apache-2.0
// Idle media: whether anything still passes through a call's pinholes.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/dataplane/pinhole_table.h"

namespace stem {

class IdleMedia {
 public:
  // Media counts as idle after `timeout` without a packet; 0: never.
  explicit IdleMedia(std::chrono::milliseconds timeout)
      : timeout_ns_(static_cast<uint64_t>(std::chrono::nanoseconds(timeout).count())) {}

  bool enabled() const { return timeout_ns_ != 0; }

  // When media that was due since `since_ns` can be idle at the earliest.
  uint64_t FirstLook(uint64_t since_ns) const { return since_ns + timeout_ns_; }

  struct Judgement {
    bool idle = false;
    uint64_t look_again_ns = 0;  // when it can be idle at the earliest; unless it is now
  };
  // Idle when the newest packet through any of `pinholes`, and `since_ns`, are older than the
  // timeout; never without pinholes, whose media nobody can see. Errors are the table's. Costs
  // one look-up per pinhole, and a call needs it once per timeout at most.
  absl::StatusOr<Judgement> Judge(const PinholeTable& table,
                                  const std::vector<PinholeKey>& pinholes, uint64_t since_ns,
                                  uint64_t now_ns) const;

 private:
  uint64_t timeout_ns_;
};

}  // namespace stem
