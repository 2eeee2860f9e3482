// SPDX-License-Identifier: Apache-2.0
// Who is told when the policy changes. Apart from gRPC (sm/watch_stream.h), so that ThreadSanitizer
// can judge it: gRPC's own locks are invisible to it.
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
#include "sm/store/store.h"
#include "stem/v1/admin.pb.h"
#include "stem/v1/firewall.pb.h"

namespace stem {

using PolicySnapshot = std::shared_ptr<const v1::WatchResponse>;

// One who watches. All functions may be called from any thread, but not before Join nor after
// Leave; they must not call the feed.
class PolicyWatcher {
 public:
  virtual ~PolicyWatcher() = default;

  // Sends the snapshot when it can. One that was not sent before the next comes may be left out.
  virtual void Send(PolicySnapshot snapshot) = 0;

  // No more snapshots will come, and why.
  virtual void End(const absl::Status& status) = 0;

  virtual v1::WatchingFirewall state() const = 0;
};

// Thread-safe.
class PolicyFeed {
 public:
  PolicyFeed(Store* store, size_t max_watchers);
  ~PolicyFeed();
  PolicyFeed(const PolicyFeed&) = delete;
  PolicyFeed& operator=(const PolicyFeed&) = delete;

  // Sends the policy to `watcher` now and whenever it changes, until Leave. RESOURCE_EXHAUSTED when
  // there are `max_watchers`, UNAVAILABLE after Close, errors of the store.
  absl::Status Join(PolicyWatcher* watcher);
  void Leave(PolicyWatcher* watcher);  // when this returns, it is not called any more

  // The stored policy has changed. It is read at once, on a thread of its own, and sent to all who
  // watch; changes that come meanwhile go together into the next reading.
  void PolicyChanged();

  // Who is watching, by identity.
  std::vector<v1::WatchingFirewall> Watching() const;

  // Ends all watchers with UNAVAILABLE and accepts no further ones.
  void Close();

 private:
  void Publish();                       // the thread's loop
  void Adopt(PolicyContents contents);  // with mutex_ held

  Store* store_;
  const size_t max_watchers_;
  mutable std::mutex mutex_;  // taken before a watcher's own, never after
  std::condition_variable wake_;
  std::set<PolicyWatcher*> watchers_;
  PolicySnapshot current_;  // null while nobody needs it
  int64_t revision_ = 0;
  bool changed_ = false;
  bool closed_ = false;
  std::thread publisher_;
};

}  // namespace stem
