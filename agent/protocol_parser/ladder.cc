// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/ladder.h"

#include <algorithm>

#include "fmt/format.h"

namespace stem {

std::string SipVerdict::ActionText() const {
  switch (action) {
    case SipAction::kForwarded:
      return "forwarded";
    case SipAction::kHeld:
      return "held";
    case SipAction::kAnswered:
      return fmt::format("answered {}", status);
    case SipAction::kAbsorbed:
      return "absorbed";
    case SipAction::kDropped:
      return "dropped";
  }
  return "unknown";
}

void Ladder::Add(const SipVerdict& verdict) {
  const size_t keep_first = limit_ / 2;
  const size_t keep_last = limit_ - keep_first;
  if (first_.size() < keep_first) {
    first_.push_back(verdict);
  } else if (last_.size() < keep_last) {
    last_.push_back(verdict);
  } else {
    ++omitted_;
    if (last_.empty()) return;
    last_[oldest_] = verdict;
    oldest_ = (oldest_ + 1) % last_.size();
  }
}

std::vector<SipVerdict> Ladder::steps() const {
  std::vector<SipVerdict> all = first_;
  all.insert(all.end(), last_.begin() + static_cast<std::ptrdiff_t>(oldest_), last_.end());
  all.insert(all.end(), last_.begin(), last_.begin() + static_cast<std::ptrdiff_t>(oldest_));
  return all;
}

}  // namespace stem
