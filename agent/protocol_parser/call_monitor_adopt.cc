// SPDX-License-Identifier: Apache-2.0
// Taking over from an earlier agent: its calls, their pinholes, and the transactions that were
// under way, which no record holds.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "common/status_macros.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace stem {

absl::Status CallMonitor::Core::Adopt() {
  const uint64_t now_ns = ports_.now_ns();
  ASSIGN_OR_RETURN(const auto records, ports_.store.LoadAll());
  for (const auto& [id, record] : records) {
    auto call = std::make_unique<Call>(CallFromRecord(id, record, config_.limits.ladder_steps));
    if (call->state == CallState::kEnded || calls_.contains(call->key)) {
      // An INVITE that was held, or a damaged record: nothing to follow.
      RETURN_IF_ERROR(ports_.store.Erase(id));
      continue;
    }
    call->adopted_ns = now_ns;
    call->media_since_ns = now_ns;
    if (call->state == CallState::kRinging) {
      call->ring_deadline_ns = now_ns + Nanoseconds(config_.timeouts.ring);
    }
    if (call->state == CallState::kEnding) {
      call->dialogs.front().bye_deadline_ns = now_ns + Nanoseconds(config_.timeouts.bye);
    }
    calls_meter_.Add();
    Count(CallEvent::calls_adopted);
    Insert(std::move(call));
  }
  ASSIGN_OR_RETURN(const std::vector<Pinhole> open, ports_.pinholes.List());
  for (const Pinhole& pinhole : open) {
    if (Call* call = CallById(pinhole.grant.call)) {
      pinholes_.Adopt(*call, pinhole);
      continue;
    }
    RETURN_IF_ERROR(ports_.pinholes.Close(pinhole.key).status());
    Count(CallEvent::orphan_pinholes_closed);
  }
  for (const auto& [key, call] : calls_) Schedule(*call, now_ns);
  return absl::OkStatus();
}

// The transaction of a request that passed before this agent started; nullptr when the message
// belongs to no adopted call. `message` is a response, or a CANCEL.
Transaction* CallMonitor::Core::AdoptTransaction(const SipMessage& message,
                                                 stem_side requested_from, uint64_t now_ns) {
  Call* call = nullptr;
  Party requester = Party::kCaller;
  std::string_view callee_tag = message.to().tag;
  call = FindCall({message.call_id(), message.from().tag, requested_from});
  if (call == nullptr) {
    call = FindCall({message.call_id(), message.to().tag, Opposite(requested_from)});
    requester = Party::kCallee;
    callee_tag = message.from().tag;
  }
  if (call == nullptr || call->adopted_ns == 0) return nullptr;
  const bool cancel = message.is_request();
  const std::string method(cancel ? "INVITE" : message.cseq_method());
  const bool initial =
      method == "INVITE" && requester == Party::kCaller && message.cseq() == call->cseq;
  // A call may ring on for long; other transactions that were under way are over soon.
  const bool soon = now_ns < call->adopted_ns + Nanoseconds(config_.timeouts.transaction);
  const bool ringing = initial && call->state == CallState::kRinging;
  if (!ringing && (!soon || (!initial && call->FindDialog(callee_tag) == nullptr))) return nullptr;
  Transaction* transaction = transactions_.Insert(TransactionKey(message, method, requested_from),
                                                  TransactionTable::Purpose::kCall);
  if (transaction == nullptr) return nullptr;
  transaction->method = method;
  transaction->call = call->id;
  transaction->kind = initial ? Transaction::Kind::kInitialInvite : Transaction::Kind::kInDialog;
  transaction->callee_tag = callee_tag;
  transaction->requester = requester;
  transaction->offer_known = ringing;
  transactions_.ExpireAt(*transaction, now_ns + Nanoseconds(config_.timeouts.transaction));
  if (!ringing) return transaction;
  transactions_.ExpireAt(*transaction, 0);
  InviteBranch branch;
  branch.transaction = transaction->serial;
  branch.transaction_key = transaction->key;
  branch.stage = InviteBranch::Stage::kPending;
  if (std::optional<SessionDescription> offer = OfferFromPinholes(*call)) {
    branch.offer = MediaOffer{Party::kCaller, *std::move(offer), call->callee_signalling.address,
                              transaction->serial};
  }
  call->branches.push_back(std::move(branch));
  return transaction;
}

}  // namespace stem
