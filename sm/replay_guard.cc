// SPDX-License-Identifier: Apache-2.0
#include "sm/replay_guard.h"

#include <algorithm>

#include "fmt/format.h"

namespace stem {
namespace {

constexpr int64_t kMillisecondsPerSecond = 1000;

// Rounded up, so that nothing is forgotten early.
int64_t SecondOf(int64_t ms) { return ms / kMillisecondsPerSecond + 1; }

}  // namespace

void ReplayGuard::Forget(int64_t now_ms) {
  while (!by_expiry_.empty() && by_expiry_.begin()->first * kMillisecondsPerSecond < now_ms) {
    const auto oldest = by_expiry_.begin();
    forgotten_until_ms_ = oldest->first * kMillisecondsPerSecond;
    for (const Entry& entry : oldest->second) {
      seen_.erase(entry);
      --held_[entry.peer];
    }
    by_expiry_.erase(oldest);
  }
}

absl::Status ReplayGuard::Admit(const Peer& peer, const v1::RequestHeader& header,
                                std::chrono::system_clock::time_point now) {
  if (header.nonce().size() != kNonceBytes) {
    return absl::InvalidArgumentError(fmt::format("header.nonce has {} bytes; send {} random ones",
                                                  header.nonce().size(), kNonceBytes));
  }
  const int64_t now_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const int64_t window_ms = limits_.window.count();
  const int64_t sent_ms = header.sent_unix_ms();
  if (sent_ms < now_ms - window_ms || sent_ms > now_ms + window_ms) {
    return absl::UnauthenticatedError(
        fmt::format("header.sent_unix_ms is not within {} ms of this security manager's clock; "
                    "synchronise both clocks",
                    window_ms));
  }
  Entry entry;
  std::copy(header.nonce().begin(), header.nonce().end(), entry.nonce.begin());

  const std::lock_guard lock(mutex_);
  Forget(now_ms);
  const int64_t expires_ms = sent_ms + window_ms;
  if (expires_ms < forgotten_until_ms_) {
    return absl::UnauthenticatedError(
        "header.sent_unix_ms is from before this security manager's clock was set back");
  }
  const auto [known, is_new] =
      peers_.try_emplace(peer.ToUri(), static_cast<uint32_t>(held_.size()));
  if (is_new) held_.push_back(0);
  entry.peer = known->second;
  if (seen_.contains(entry)) {
    return absl::UnauthenticatedError("header.nonce was used before; each request needs its own");
  }
  if (seen_.size() >= limits_.table ||
      held_[entry.peer] >= std::max<size_t>(limits_.table / 2, 1)) {
    ++refused_full_;
    return absl::ResourceExhaustedError(fmt::format(
        "more requests within {} ms than this security manager can tell apart", 2 * window_ms));
  }
  seen_.insert(entry);
  by_expiry_[SecondOf(expires_ms)].push_back(entry);
  ++held_[entry.peer];
  return absl::OkStatus();
}

size_t ReplayGuard::size() const {
  const std::lock_guard lock(mutex_);
  return seen_.size();
}

uint64_t ReplayGuard::refused_full() const {
  const std::lock_guard lock(mutex_);
  return refused_full_;
}

}  // namespace stem
