// SPDX-License-Identifier: Apache-2.0
#include "sm/policy_feed.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr auto kRetry = std::chrono::seconds(1);

}  // namespace

PolicyFeed::PolicyFeed(Store* store, size_t max_watchers)
    : store_(store), max_watchers_(max_watchers), publisher_([this] { Publish(); }) {}

PolicyFeed::~PolicyFeed() {
  Close();
  publisher_.join();
}

absl::Status PolicyFeed::Join(PolicyWatcher* watcher) {
  const std::lock_guard lock(mutex_);
  if (closed_) return absl::UnavailableError("this security manager is stopping");
  if (watchers_.size() >= max_watchers_) {
    return absl::ResourceExhaustedError(
        fmt::format("{} firewalls watch already, the configured limit", max_watchers_));
  }
  if (current_ == nullptr) {
    ASSIGN_OR_RETURN(PolicyContents contents, store_->LoadPolicy());
    Adopt(std::move(contents));
  }
  watchers_.insert(watcher);
  watcher->Send(current_);
  return absl::OkStatus();
}

void PolicyFeed::Leave(PolicyWatcher* watcher) {
  const std::lock_guard lock(mutex_);
  watchers_.erase(watcher);
}

void PolicyFeed::Adopt(PolicyContents contents) {
  auto snapshot = std::make_shared<v1::WatchResponse>();
  snapshot->set_version(fmt::format("{}", contents.revision));
  for (std::string& key : contents.accepting) snapshot->add_known_users(std::move(key));
  for (v1::Instruction& instruction : contents.instructions) {
    *snapshot->add_instructions() = std::move(instruction);
  }
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
    if (watchers_.empty()) {
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
    for (PolicyWatcher* watcher : watchers_) watcher->Send(current_);
  }
}

std::vector<v1::WatchingFirewall> PolicyFeed::Watching() const {
  std::vector<v1::WatchingFirewall> watching;
  {
    const std::lock_guard lock(mutex_);
    watching.reserve(watchers_.size());
    for (const PolicyWatcher* watcher : watchers_) watching.push_back(watcher->state());
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
  for (PolicyWatcher* watcher : watchers_) {
    watcher->End(absl::UnavailableError("this security manager is stopping"));
  }
}

}  // namespace stem
