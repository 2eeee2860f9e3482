// SPDX-License-Identifier: Apache-2.0
// Outbound TCP connections to SIP ports that were granted (`syn_guard.permits`).
#pragma once

#include <compare>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/address.h"

namespace stem {

struct PermitKey {
  IpAddress source;      // inside
  Endpoint destination;  // outside

  auto operator<=>(const PermitKey&) const = default;
};

struct Permit {
  static constexpr uint64_t kNoEnd = UINT64_MAX;
  uint64_t until_ns = kNoEnd;  // CLOCK_MONOTONIC
  uint64_t used = 0;           // SYNs that passed by it
};

// One writer at a time.
class PermitTable {
 public:
  // Not owned.
  explicit PermitTable(int permits_fd) : permits_fd_(permits_fd) {}

  // Grants, or changes the end of what was granted, keeping its counter. RESOURCE_EXHAUSTED when
  // the table is full.
  absl::Status Add(const PermitKey& key, uint64_t until_ns);

  // False when there was none.
  absl::StatusOr<bool> Remove(const PermitKey& key);

  // In no order; expired ones included until they are removed.
  absl::StatusOr<std::vector<std::pair<PermitKey, Permit>>> List() const;

 private:
  int permits_fd_;
};

}  // namespace stem
