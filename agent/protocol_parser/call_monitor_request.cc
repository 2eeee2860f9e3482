// SPDX-License-Identifier: Apache-2.0
// Requests inside dialogs, the ACK, and requests that belong to no call.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Methods that only an INVITE's dialog has; without their call they go nowhere. Others with a To
// tag may belong to a subscription (RFC 6665), which is no call.
bool OnlyWithinCalls(const SipMessage& message) {
  const std::string_view method = message.method();
  if (method == "REFER") return !message.to().tag.empty();
  return method == "BYE" || method == "INVITE" || method == "UPDATE" || method == "PRACK" ||
         method == "INFO";
}

}  // namespace

void CallMonitor::Core::HandleAck(Passage& passage, const SipMessage& message) {
  const std::string invite_key = TransactionKey(message, "INVITE", passage.datagram.from);
  if (answers_.Find(invite_key) != nullptr) return Absorb(passage);
  if (const Transaction* invite = transactions_.Find(invite_key)) {
    Attach(passage, invite->call);
    // ACK of a failure belongs to its INVITE's transaction (RFC 3261, 17.1.1.3).
    if (invite->stage == Transaction::Stage::kFinal && invite->final_status >= 300) {
      return Forward(passage, SipReason::call_setup);
    }
    if (invite->stage == Transaction::Stage::kIgnored) {
      return Drop(passage, SipReason::dropped_by_decision);
    }
  }
  const Membership member = FindMember(message, passage.datagram.from);
  Dialog* dialog = member.call == nullptr ? nullptr : member.call->FindDialog(member.callee_tag);
  if (member.call != nullptr) passage.call = member.call;
  if (dialog == nullptr || !dialog->confirmed) {
    if (const Call* ended = FindEnded(message, passage.datagram.from)) {
      Attach(passage, ended->id);
      return Forward(passage, SipReason::in_dialog, "the call has ended");
    }
    return Drop(passage, SipReason::ack_without_call);
  }
  std::string why = Negotiate(passage, message, *dialog, /*transaction=*/0,
                              Negotiation::Carrier::kAnswer, member.sender);
  dialog->negotiation.Acknowledged(member.sender);
  why = Join(std::move(why), FollowPinholes(*member.call, passage.now_ns));
  Forward(passage, SipReason::in_dialog, std::move(why));
}

void CallMonitor::Core::HandleOtherRequest(Passage& passage, const SipMessage& message,
                                           std::string key) {
  const Membership member = FindMember(message, passage.datagram.from);
  if (member.call != nullptr && !message.to().tag.empty()) {
    return HandleInDialog(passage, message, member, std::move(key));
  }
  if (OnlyWithinCalls(message)) return HandleWithoutCall(passage, message, std::move(key));
  HandleOutOfDialog(passage, std::move(key));
}

void CallMonitor::Core::HandleInDialog(Passage& passage, const SipMessage& message,
                                       const Membership& member, std::string key) {
  Call& call = *member.call;
  passage.call = &call;
  // Whoever knows a call's tags may not use them to reach any port of any host inside.
  const Endpoint& destination = passage.datagram.destination;
  if (passage.datagram.from == STEM_SIDE_OUTSIDE && !MayTakeRequests(passage.datagram) &&
      destination != call.caller_signalling && destination != call.callee_signalling) {
    return Drop(passage, SipReason::not_signalling_port);
  }
  Dialog* dialog = call.FindDialog(member.callee_tag);
  if (dialog == nullptr) {
    Answer(passage, message.head(), {{.status = 481}, SipReason::wrong_dialog, ""});
    return;
  }
  std::optional<uint32_t>& highest = dialog->cseq_of(member.sender);
  if (highest && message.cseq() < *highest) {
    // What the other end would answer (RFC 3261, 12.2.2).
    Answer(passage, message.head(),
           {{.status = 500},
            SipReason::cseq_backwards,
            fmt::format("CSeq {} after {}", message.cseq(), *highest)});
    return;
  }
  Transaction* request = transactions_.Insert(std::move(key), TransactionTable::Purpose::kCall);
  if (request == nullptr) {
    Answer(passage, message.head(), {{.status = 503}, SipReason::transactions_full, ""});
    return;
  }
  highest = message.cseq();
  request->method = message.method();
  request->kind = Transaction::Kind::kInDialog;
  request->call = call.id;
  request->callee_tag = dialog->callee_tag;
  request->requester = member.sender;
  const bool invite = message.method() == "INVITE";
  transactions_.ExpireAt(
      *request,
      passage.now_ns + Nanoseconds(invite ? config_.timeouts.ring : config_.timeouts.transaction));
  std::string why;
  if (invite || message.method() == "UPDATE") {
    why = Negotiate(passage, message, *dialog, request->serial, Negotiation::Carrier::kOffer,
                    member.sender);
  } else if (message.method() == "PRACK") {
    why = Negotiate(passage, message, *dialog, request->serial,
                    Negotiation::Carrier::kOfferOrAnswer, member.sender);
  } else if (message.method() == "BYE") {
    dialog->bye_deadline_ns = passage.now_ns + Nanoseconds(config_.timeouts.bye);
    if (dialog->confirmed && call.dialogs.size() == 1) {
      call.state = CallState::kEnding;
      if (!Save(call).ok()) why = "its record could not be stored";
    }
    Reschedule(call);
  }
  why = Join(std::move(why), FollowPinholes(call, passage.now_ns));
  Forward(passage, SipReason::in_dialog, std::move(why));
}

void CallMonitor::Core::HandleWithoutCall(Passage& passage, const SipMessage& message,
                                          std::string key) {
  // The firewall may have given a call up (idle media, longest duration) that its ends have not:
  // their BYE still passes, so that both know.
  const Call* ended = FindEnded(message, passage.datagram.from);
  if (message.method() == "BYE" && ended != nullptr) {
    Attach(passage, ended->id);
    Transaction* bye = transactions_.Insert(std::move(key), TransactionTable::Purpose::kCall);
    if (bye == nullptr) return Drop(passage, SipReason::transactions_full);
    bye->method = "BYE";
    bye->kind = Transaction::Kind::kInDialog;
    bye->call = ended->id;
    transactions_.ExpireAt(*bye, passage.now_ns + Nanoseconds(config_.timeouts.transaction));
    return Forward(passage, SipReason::in_dialog, "the call has ended");
  }
  Answer(passage, message.head(), {{.status = 481}, SipReason::request_without_call, ""});
}

void CallMonitor::Core::HandleOutOfDialog(Passage& passage, std::string key) {
  if (!MayTakeRequests(passage.datagram)) {
    return Drop(passage, SipReason::not_signalling_port);
  }
  Transaction* request =
      transactions_.Insert(std::move(key), TransactionTable::Purpose::kOutOfDialog);
  if (request == nullptr) return Drop(passage, SipReason::transactions_full);
  request->kind = Transaction::Kind::kOutOfDialog;
  transactions_.ExpireAt(*request, passage.now_ns + Nanoseconds(config_.timeouts.transaction));
  Forward(passage, SipReason::out_of_dialog);
}

// A request of the caller comes from the call's origin with the caller's tag in From; one of the
// callee from the other side with the caller's tag in To.
CallMonitor::Core::Membership CallMonitor::Core::FindMember(const SipMessage& message,
                                                            stem_side from) {
  if (Call* call = FindCall({message.call_id(), message.from().tag, from})) {
    return {call, Party::kCaller, message.to().tag};
  }
  if (Call* call = FindCall({message.call_id(), message.to().tag, Opposite(from)})) {
    return {call, Party::kCallee, message.from().tag};
  }
  return {};
}

const Call* CallMonitor::Core::FindEnded(const SipMessage& message, stem_side from) const {
  const auto find = [&](const std::string& caller_tag, const std::string& callee_tag,
                        stem_side origin) -> const Call* {
    const auto at = ended_.find({message.call_id(), caller_tag, origin});
    return at != ended_.end() && at->second->FindDialog(callee_tag) != nullptr ? at->second
                                                                               : nullptr;
  };
  const Call* call = find(message.from().tag, message.to().tag, from);
  return call != nullptr ? call : find(message.to().tag, message.from().tag, Opposite(from));
}

std::optional<SessionDescription> CallMonitor::Core::ReadSdp(const SipMessage& message,
                                                             std::string& note) {
  if (message.body().empty()) return std::nullopt;
  const std::optional<std::string_view> text = FindSdp(message.content_type(), message.body());
  if (!text) return std::nullopt;
  if (message.content_encoded()) {
    Count(CallEvent::sdp_refused);
    note = "session description not read: the body has a Content-Encoding";
    return std::nullopt;
  }
  absl::StatusOr<SessionDescription> description = ParseSessionDescription(*text, config_.limits);
  if (!description.ok()) {
    Count(CallEvent::sdp_refused);
    note = fmt::format("session description not read: {}",
                       std::string(description.status().message()));
    return std::nullopt;
  }
  return *std::move(description);
}

std::string CallMonitor::Core::Negotiate(const Passage& passage, const SipMessage& message,
                                         Dialog& dialog, uint64_t transaction,
                                         Negotiation::Carrier carrier, Party sender) {
  std::string note;
  std::optional<SessionDescription> description = ReadSdp(message, note);
  if (!description) return note;
  switch (dialog.negotiation.Take(transaction, carrier, sender,
                                  passage.datagram.destination.address, *std::move(description))) {
    case Negotiation::Role::kOffer:
      return "offer";
    case Negotiation::Role::kAnswer:
      // Both ends are known now: what an earlier agent had opened is replaced.
      passage.call->adopted.clear();
      return "answer";
    case Negotiation::Role::kRevision:
      return "answer given again";
    case Negotiation::Role::kIgnored:
      return "session description out of turn, not followed";
  }
  return note;
}

uint64_t CallMonitor::Core::JudgePinholesAgain() {
  const uint64_t before = counters_[CallEvent::pinholes_denied];
  for (const auto& [key, call] : calls_) FollowPinholes(*call, ports_.now_ns());
  return counters_[CallEvent::pinholes_denied] - before;
}

// Makes pinholes, idle watching and the stored record fit what has been negotiated.
std::string CallMonitor::Core::FollowPinholes(Call& call, uint64_t now_ns) {
  const CallPinholes::Change change = pinholes_.Follow(call, now_ns);
  Schedule(call, now_ns);
  return change.Text();
}

}  // namespace stem
