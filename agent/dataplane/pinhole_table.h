// SPDX-License-Identifier: Apache-2.0
// Pinholes as the agent sees them: opened, closed, read. The kernel map is one implementation, a
// table in memory (for tests of what decides about pinholes) the other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"
#include "common/address.h"

namespace stem {

// What a pinhole is found by: where the media goes and on which side it must arrive.
struct PinholeKey {
  Endpoint destination;
  stem_side from = STEM_SIDE_NONE;
  auto operator<=>(const PinholeKey&) const = default;
};

template <typename H>
H AbslHashValue(H h, const PinholeKey& k) {
  return H::combine(std::move(h), k.destination, static_cast<int>(k.from));
}

// Who may send, what, and for which call.
struct PinholeGrant {
  stem_peer_match match = STEM_PEER_NONE;
  Endpoint peer;  // port ignored for STEM_PEER_ADDRESS, all of it for STEM_PEER_ANY
  stem_media media = STEM_MEDIA_NONE;
  uint64_t call = 0;
};

struct PinholeUse {
  uint64_t opened_ns = 0;     // CLOCK_MONOTONIC
  uint64_t last_seen_ns = 0;  // 0 before the first conforming packet
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t wrong_peer = 0;
};

struct Pinhole {
  PinholeKey key;
  PinholeGrant grant;
  PinholeUse use;
};

class PinholeTable {
 public:
  virtual ~PinholeTable() = default;

  // Opens a pinhole, or changes the grant of an open one, keeping its counters. When this returns
  // OK the data plane lets the media pass. RESOURCE_EXHAUSTED when the table is full; on any error
  // nothing has changed.
  virtual absl::Status Open(const PinholeKey& key, const PinholeGrant& grant, uint64_t now_ns) = 0;

  // Closes it and returns what passed through; nullopt when it was not open. When this returns,
  // no further packet passes.
  virtual absl::StatusOr<std::optional<PinholeUse>> Close(const PinholeKey& key) = 0;

  virtual absl::StatusOr<std::optional<Pinhole>> Find(const PinholeKey& key) const = 0;

  // Every open pinhole, in no order.
  virtual absl::StatusOr<std::vector<Pinhole>> List() const = 0;
};

}  // namespace stem
