// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/negotiation.h"

#include <algorithm>
#include <utility>

namespace stem {
namespace {

// Overlapping INVITE, PRACK and UPDATE exchanges of one dialog; older ones cannot come back.
constexpr size_t kAnsweredKept = 8;

}  // namespace

bool AgreedSession::MediaExpected() const {
  const size_t streams = std::min(caller.streams.size(), callee.streams.size());
  for (size_t i = 0; i < streams; ++i) {
    const MediaStream& a = caller.streams[i];
    const MediaStream& b = callee.streams[i];
    if (!a.rejected() && !b.rejected() && !a.on_hold() && !b.on_hold()) return true;
  }
  return false;
}

bool Negotiation::WasAnswered(uint64_t transaction) const {
  return std::find(answered_.begin(), answered_.end(), transaction) != answered_.end();
}

Negotiation::Role Negotiation::Take(uint64_t transaction, Carrier carrier, Party sender,
                                    const IpAddress& sent_to, SessionDescription description) {
  if (pending_ && pending_->by != sender) {
    if (carrier == Carrier::kOffer) return Role::kIgnored;  // glare: its sender will get a 491
    before_ = std::exchange(agreed_, std::nullopt);
    agreed_.emplace();
    (sender == Party::kCaller ? agreed_->caller : agreed_->callee) = std::move(description);
    (sender == Party::kCaller ? agreed_->callee : agreed_->caller) =
        std::move(pending_->description);
    answered_.push_back(pending_->transaction);
    if (answered_.size() > kAnsweredKept) answered_.pop_front();
    pending_.reset();
    return Role::kAnswer;
  }
  if (carrier == Carrier::kAnswer) return Role::kIgnored;
  if (carrier == Carrier::kOfferOrAnswer) {
    if (pending_ && pending_->transaction != transaction) return Role::kIgnored;
    if (!pending_ && agreed_ && !answered_.empty() && answered_.back() == transaction) {
      (sender == Party::kCaller ? agreed_->caller : agreed_->callee) = std::move(description);
      return Role::kRevision;
    }
    if (WasAnswered(transaction)) return Role::kIgnored;
  }
  pending_ = MediaOffer{sender, std::move(description), sent_to, transaction};
  return Role::kOffer;
}

void Negotiation::Finish(uint64_t transaction, Party requester, Result result) {
  const bool failed = result == Result::kFailure;
  if (pending_ && pending_->transaction == transaction && (failed || pending_->by == requester)) {
    pending_.reset();
  }
  if (failed && !answered_.empty() && answered_.back() == transaction && before_) {
    agreed_ = std::exchange(before_, std::nullopt);
  }
}

void Negotiation::Acknowledged(Party sender) {
  if (pending_ && pending_->by != sender) pending_.reset();
}

}  // namespace stem
