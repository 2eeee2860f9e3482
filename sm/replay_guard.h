// SPDX-License-Identifier: Apache-2.0
// Makes a request usable once and only now: the receiver's half (the sender's is
// common/tls/request_header.h).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "common/tls/identity.h"
#include "common/tls/request_header.h"

namespace stem {

struct ReplayLimits {
  std::chrono::milliseconds window{30'000};  // how far a request's clock may differ from ours
  size_t table = 262'144;                    // nonces remembered
};

// Remembers each (identity, nonce) for as long as the request's time lies within the window. The
// memory is this process': a request replayed to a restarted security manager within the window is
// stopped by TLS alone, whose keys are new with every connection.
//
// Thread-safe.
class ReplayGuard {
 public:
  explicit ReplayGuard(ReplayLimits limits) : limits_(limits) {}

  // OK once per nonce. Otherwise nothing is remembered, and:
  //   INVALID_ARGUMENT    no header, or a nonce that is not 16 bytes
  //   UNAUTHENTICATED     the time is outside the window, or the nonce was used before
  //   RESOURCE_EXHAUSTED  the table is full, or this identity alone holds half of it (so that one
  //                       of them cannot lock out the others)
  // `now` is wall time. When it steps back, requests from before the step that could already be
  // forgotten are refused as too old.
  absl::Status Admit(const Peer& peer, const v1::RequestHeader& header,
                     std::chrono::system_clock::time_point now);

  size_t size() const;
  uint64_t refused_full() const;  // times the table was full

 private:
  struct Entry {
    uint32_t peer = 0;
    std::array<char, kNonceBytes> nonce{};
    bool operator==(const Entry&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Entry& e) {
      return H::combine(std::move(h), e.peer, e.nonce);
    }
  };

  void Forget(int64_t now_ms);

  const ReplayLimits limits_;
  mutable std::mutex mutex_;
  absl::flat_hash_set<Entry> seen_;
  std::map<int64_t, std::vector<Entry>> by_expiry_;   // second in which an entry may be forgotten
  absl::flat_hash_map<std::string, uint32_t> peers_;  // numbers are indices of held_
  std::vector<size_t> held_;                          // entries per peer
  int64_t forgotten_until_ms_ = 0;
  uint64_t refused_full_ = 0;
};

}  // namespace stem
