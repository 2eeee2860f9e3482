// SPDX-License-Identifier: Apache-2.0
// Firewall.Watch from the security manager's end: every firewall gets the policy when it connects
// and whenever it changes, and says whether it is in force there.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
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
  PolicyFeed(Store* store, Entrance* entrance, size_t max_streams);
  ~PolicyFeed();
  PolicyFeed(const PolicyFeed&) = delete;
  PolicyFeed& operator=(const PolicyFeed&) = delete;

  // Serves one stream; the reactor owns itself. Role: firewall.
  Reactor* Open(const grpc::CallbackServerContext& context);

  // The stored policy has changed. It is read at once, on a thread of its own, and sent to all who
  // watch; changes that come meanwhile go together into the next reading. A firewall that is slow
  // gets the newest policy next, not each one between.
  void PolicyChanged();

  // Who is watching, by identity.
  std::vector<v1::WatchingFirewall> Watching() const;

  // Ends all streams with UNAVAILABLE and accepts no further ones.
  void Close();

 private:
  class Stream;
  using Snapshot = std::shared_ptr<const v1::WatchResponse>;

  absl::Status Join(Stream* stream);
  void Leave(Stream* stream);
  void Publish();                       // the thread's loop
  void Adopt(PolicyContents contents);  // with mutex_ held

  Store* store_;
  Entrance* entrance_;
  const size_t max_streams_;
  mutable std::mutex mutex_;  // taken before a stream's own, never after
  std::condition_variable wake_;
  std::set<Stream*> streams_;
  Snapshot current_;  // null while nobody needs it
  int64_t revision_ = 0;
  bool changed_ = false;
  bool closed_ = false;
  std::thread publisher_;
};

}  // namespace stem
