// SPDX-License-Identifier: Apache-2.0
#include "sm/policy_feed.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/status_macros.h"
#include "common/utf8.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);
constexpr size_t kMaxTextBytes = 256;  // of what a firewall says about itself, kept for people

std::string Shortened(const std::string& text) {
  return ToPrintable(std::string_view(text).substr(0, kMaxTextBytes));
}

// A stream that was refused before it began.
class RefusedStream : public PolicyFeed::Reactor {
 public:
  explicit RefusedStream(const absl::Status& status) { Finish(ToGrpc(status)); }
  void OnDone() override { delete this; }
};

}  // namespace

// One firewall. gRPC calls the On... functions one at a time for each kind; Send and End may come
// from any thread.
class PolicyFeed::Stream : public PolicyFeed::Reactor {
 public:
  Stream(PolicyFeed* feed, Peer peer) : feed_(feed), peer_(std::move(peer)) {
    state_.set_identity(peer_.identity);
    StartRead(&request_);
  }

  // Sends `snapshot` now, or after the one being sent.
  void Send(Snapshot snapshot) {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    if (sending_ != nullptr) {
      next_ = std::move(snapshot);
      return;
    }
    sending_ = std::move(snapshot);
    StartWrite(sending_.get());
  }

  void End(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    Finish(ToGrpc(status));
  }

  v1::WatchingFirewall state() const {
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
    RETURN_IF_ERROR(feed_->entrance_->CheckFresh(peer_, request_.header()));
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
    }
    if (request_.refused().empty()) return;
    state_.set_refused(Shortened(request_.refused()));
    state_.set_refusal(Shortened(request_.refusal()));
    spdlog::warn("firewall {} refused policy {}: {}", peer_.identity, state_.refused(),
                 state_.refusal());
  }

  PolicyFeed* const feed_;
  const Peer peer_;
  v1::WatchRequest request_;  // between StartRead and OnReadDone gRPC's, else OnReadDone's
  bool joined_ = false;       // OnReadDone's and OnDone's, which never overlap
  mutable std::mutex mutex_;
  v1::WatchingFirewall state_;
  Snapshot sending_;
  Snapshot next_;
  bool ended_ = false;
};

PolicyFeed::Reactor* PolicyFeed::Open(const grpc::CallbackServerContext& context) {
  absl::StatusOr<Peer> peer = Entrance::CheckRole(context, {Role::kFirewall});
  if (!peer.ok()) return new RefusedStream(peer.status());
  return new Stream(this, *std::move(peer));
}

PolicyFeed::PolicyFeed(Store* store, Entrance* entrance, size_t max_streams)
    : store_(store),
      entrance_(entrance),
      max_streams_(max_streams),
      publisher_([this] { Publish(); }) {}

PolicyFeed::~PolicyFeed() {
  Close();
  publisher_.join();
}

absl::Status PolicyFeed::Join(Stream* stream) {
  const std::lock_guard lock(mutex_);
  if (closed_) return absl::UnavailableError("this security manager is stopping");
  if (streams_.size() >= max_streams_) {
    return absl::ResourceExhaustedError(
        fmt::format("{} firewalls watch already, the configured limit", max_streams_));
  }
  if (current_ == nullptr) {
    ASSIGN_OR_RETURN(PolicyContents contents, store_->LoadPolicy());
    Adopt(std::move(contents));
  }
  streams_.insert(stream);
  stream->Send(current_);
  return absl::OkStatus();
}

void PolicyFeed::Leave(Stream* stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

void PolicyFeed::Adopt(PolicyContents contents) {
  auto snapshot = std::make_shared<v1::WatchResponse>();
  snapshot->set_version(fmt::format("{}", contents.revision));
  for (std::string& key : contents.accepting) snapshot->add_known_users(std::move(key));
  revision_ = contents.revision;
  current_ = std::move(snapshot);
}

void PolicyFeed::PolicyChanged() {
  {
    const std::lock_guard lock(mutex_);
    changed_ = true;
  }
  wake_.notify_one();
}

void PolicyFeed::Publish() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return changed_ || closed_; });
    if (closed_) return;
    changed_ = false;
    if (streams_.empty()) {
      current_ = nullptr;  // read when the next firewall comes
      continue;
    }
    lock.unlock();
    absl::StatusOr<PolicyContents> contents = store_->LoadPolicy();
    lock.lock();
    if (!contents.ok()) {
      spdlog::error("the changed policy cannot be read, trying again: {}",
                    contents.status().ToString());
      wake_.wait_for(lock, kRetry, [this] { return closed_; });
      changed_ = true;
      continue;
    }
    // A firewall that joined meanwhile may have read a newer one.
    if (current_ != nullptr && contents->revision <= revision_) continue;
    Adopt(*std::move(contents));
    for (Stream* stream : streams_) stream->Send(current_);
  }
}

std::vector<v1::WatchingFirewall> PolicyFeed::Watching() const {
  std::vector<v1::WatchingFirewall> watching;
  {
    const std::lock_guard lock(mutex_);
    watching.reserve(streams_.size());
    for (const Stream* stream : streams_) watching.push_back(stream->state());
  }
  std::sort(watching.begin(), watching.end(), [](const auto& a, const auto& b) {
    return std::pair(a.identity(), a.instance()) < std::pair(b.identity(), b.instance());
  });
  return watching;
}

void PolicyFeed::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_.notify_one();
  for (Stream* stream : streams_) {
    stream->End(absl::UnavailableError("this security manager is stopping"));
  }
}

}  // namespace stem
