// SPDX-License-Identifier: Apache-2.0
// Pinholes as the agent sees them: opened, closed, read. The kernel map is one implementation, a
// table in memory (for tests of what decides about pinholes) the other.
#pragma once

#include <array>
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

// `per_second` on average, `burst` at once; 0 a second: no limit.
struct MediaRate {
  uint64_t per_second = 0;
  uint64_t burst = 0;
  auto operator<=>(const MediaRate&) const = default;
};

// What one flow of a kind of media may be.
struct MediaLimits {
  std::array<uint64_t, 2> payload_types{};  // a bit for each; none: not checked
  uint16_t max_length = 0;                  // IP bytes of the largest packet; 0: not checked
  uint16_t extras = 0;                      // stem_media_extra, or-ed
  MediaRate bytes{};                        // IP bytes
  MediaRate packets{};
  auto operator<=>(const MediaLimits&) const = default;
};

// Who may send, what, and for which call.
struct PinholeGrant {
  stem_peer_match match = STEM_PEER_NONE;
  // Port ignored for STEM_PEER_ADDRESS and STEM_PEER_LATCH; all of it for STEM_PEER_ANY.
  Endpoint peer;
  stem_media media = STEM_MEDIA_NONE;
  uint64_t call = 0;
  MediaLimits limits{};
};

struct PinholeUse {
  uint64_t opened_ns = 0;     // CLOCK_MONOTONIC
  uint64_t last_seen_ns = 0;  // 0 before the first conforming packet
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t wrong_peer = 0;
  uint64_t too_fast = 0;              // refused by policing
  uint64_t refused = 0;               // refused by the RTP checks
  std::optional<Endpoint> latched{};  // STEM_PEER_LATCH: who took it
};

struct Pinhole {
  PinholeKey key;
  PinholeGrant grant;
  PinholeUse use;
};

class PinholeTable {
 public:
  virtual ~PinholeTable() = default;

  // Opens a pinhole, or changes the grant of an open one, keeping its counters; who talks (SSRC,
  // latch) is found anew where peer or media changed. When this returns
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
