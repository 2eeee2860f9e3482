// SPDX-License-Identifier: Apache-2.0
// Firewall.Watch from the security manager's end: every firewall gets the policy when it connects
// and whenever it changes, and says whether it is in force there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "sm/entrance.h"
#include "sm/store/store.h"
#include "stem/v1/firewall.grpc.pb.h"

namespace stem {

// Thread-safe. Must outlive the gRPC server it serves.
class PolicyFeed {
 public:
  using Reactor = grpc::ServerBidiReactor<v1::WatchRequest, v1::WatchResponse>;

  // At most `max_streams` at a time; further ones end with RESOURCE_EXHAUSTED.
  PolicyFeed(Store* store, Entrance* entrance, size_t max_streams)
      : store_(store), entrance_(entrance), max_streams_(max_streams) {}

  // Serves one stream; the reactor owns itself. Role: firewall.
  Reactor* Open(const grpc::CallbackServerContext& context);

  // Reads the policy anew and sends it to all who watch, when it is newer than what they have. A
  // firewall that reads slowly gets the newest one next, not each one between.
  absl::Status PolicyChanged();

  // Who is watching, by identity.
  std::vector<v1::WatchingFirewall> Watching() const;

  // Ends all streams with UNAVAILABLE and accepts no further ones.
  void Close();

 private:
  class Stream;
  using Snapshot = std::shared_ptr<const v1::WatchResponse>;

  absl::Status Join(Stream* stream);
  void Leave(Stream* stream);
  absl::Status LoadNewer();  // with mutex_ held

  Store* store_;
  Entrance* entrance_;
  const size_t max_streams_;
  mutable std::mutex mutex_;  // taken before a stream's own, never after
  std::set<Stream*> streams_;
  Snapshot current_;
  int64_t revision_ = 0;
  bool closed_ = false;
};

}  // namespace stem
