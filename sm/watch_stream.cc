// SPDX-License-Identifier: Apache-2.0
#include "sm/watch_stream.h"

#include <spdlog/spdlog.h>

#include <mutex>
#include <string>
#include <utility>

#include "common/status_macros.h"
#include "common/utf8.h"

namespace stem {
namespace {

constexpr int kMostNotFollowed = 32;   // a firewall tells 20, and how many more there are
constexpr size_t kMaxTextBytes = 256;  // of what a firewall says about itself, kept for people

std::string Shortened(const std::string& text) {
  return ToPrintable(std::string_view(text).substr(0, kMaxTextBytes));
}

// A stream that was refused before it began.
class RefusedStream : public WatchReactor {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

// One firewall. gRPC calls the On... functions one at a time for each kind; Send and End may come
// from any thread.
class WatchStream : public WatchReactor, public PolicyWatcher {
 public:
  WatchStream(Peer peer, Entrance* entrance, PolicyFeed* feed)
      : peer_(std::move(peer)), entrance_(entrance), feed_(feed) {
    state_.set_identity(peer_.identity);
    StartRead(&request_);
  }

  void Send(PolicySnapshot snapshot) override {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (sending_ != nullptr) {
      next_ = std::move(snapshot);
      return;
    }
    sending_ = std::move(snapshot);
    StartWrite(sending_.get());
  }

  void End(const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    Finish(ToGrpc(status));
  }

  v1::WatchingFirewall state() const override {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End(absl::OkStatus());  // the firewall closed its half, or is gone
    const absl::Status handled = Handle();
    if (!handled.ok()) return End(handled);
    const std::lock_guard lock(mutex_);
    if (!ended_) StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return End(absl::UnavailableError("the stream broke"));
    const std::lock_guard lock(mutex_);
    sending_ = std::exchange(next_, nullptr);
    if (sending_ != nullptr && !ended_) StartWrite(sending_.get());
  }

  void OnCancel() override { End(absl::CancelledError("cancelled")); }

  void OnDone() override {
    feed_->Leave(this);
    if (joined_) spdlog::info("firewall {} stopped watching", peer_.identity);
    delete this;
  }

 private:
  absl::Status Handle() {
    RETURN_IF_ERROR(entrance_->CheckFresh(peer_, request_.header()));
    Note();
    if (joined_) return absl::OkStatus();
    RETURN_IF_ERROR(feed_->Join(this));  // sends the first snapshot
    joined_ = true;
    spdlog::info("firewall {} watches, as {}", peer_.identity, Shortened(request_.firewall()));
    return absl::OkStatus();
  }

  void Note() {
    const std::lock_guard lock(mutex_);
    if (!request_.firewall().empty()) state_.set_instance(Shortened(request_.firewall()));
    if (!request_.acknowledged().empty()) {
      state_.set_acknowledged(Shortened(request_.acknowledged()));
      state_.clear_refused();
      state_.clear_refusal();
      state_.clear_not_followed();
      for (const std::string& one : request_.not_followed()) {
        if (state_.not_followed_size() == kMostNotFollowed) break;
        state_.add_not_followed(Shortened(one));
        spdlog::warn("firewall {} does not follow {}", peer_.identity, Shortened(one));
      }
    }
    if (request_.refused().empty()) return;
    state_.set_refused(Shortened(request_.refused()));
    state_.set_refusal(Shortened(request_.refusal()));
    spdlog::warn("firewall {} refused policy {}: {}", peer_.identity, state_.refused(),
                 state_.refusal());
  }

  const Peer peer_;
  Entrance* const entrance_;
  PolicyFeed* const feed_;
  v1::WatchRequest request_;  // between StartRead and OnReadDone gRPC's, else OnReadDone's
  bool joined_ = false;       // OnReadDone's and OnDone's, which never overlap
  mutable std::mutex mutex_;
  v1::WatchingFirewall state_;
  PolicySnapshot sending_;
  PolicySnapshot next_;
  bool ended_ = false;
};

}  // namespace

WatchReactor* OpenWatchStream(const grpc::CallbackServerContext& context, Entrance* entrance,
                              PolicyFeed* feed) {
  absl::StatusOr<Peer> peer = Entrance::CheckRole(context, {Role::kFirewall});
  if (!peer.ok()) return new RefusedStream(peer.status());
  return new WatchStream(*std::move(peer), entrance, feed);
}

}  // namespace stem
