// SPDX-License-Identifier: Apache-2.0
// Responses: each must answer a request that has passed, and an answer to an offer opens its
// pinholes before it goes on.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Of the reason phrase that becomes a call's outcome.
constexpr size_t kOutcome = 64;

bool IsFinal(int status) { return status >= 200; }
bool IsFailure(int status) { return status >= 300; }

// Responses to BYE after which there is no session left (RFC 3261, 15.1.1 and 12.2.1.2).
bool EndsDialog(int bye_status) {
  return (IsFinal(bye_status) && !IsFailure(bye_status)) || bye_status == 408 || bye_status == 481;
}

}  // namespace

void CallMonitor::Core::HandleResponse(Passage& passage, const SipMessage& message) {
  const stem_side requested_from = Opposite(passage.datagram.from);
  Transaction* request =
      transactions_.Find(TransactionKey(message, message.cseq_method(), requested_from));
  if (request == nullptr) request = AdoptTransaction(message, requested_from, passage.now_ns);
  if (request == nullptr) return Drop(passage, SipReason::response_without_request);
  Attach(passage, request->call);
  switch (request->kind) {
    case Transaction::Kind::kInitialInvite:
      return HandleInviteResponse(passage, message, *request);
    case Transaction::Kind::kInDialog:
      return HandleDialogResponse(passage, message, *request);
    case Transaction::Kind::kCancel:
    case Transaction::Kind::kOutOfDialog:
      Finish(*request, message.status(), passage.now_ns);
      return Forward(passage, request->kind == Transaction::Kind::kCancel
                                  ? SipReason::call_setup
                                  : SipReason::out_of_dialog);
  }
}

void CallMonitor::Core::Finish(Transaction& transaction, int status, uint64_t now_ns) {
  transactions_.ExpireAt(transaction, now_ns + Nanoseconds(config_.timeouts.transaction));
  if (!IsFinal(status)) return;
  transaction.stage = Transaction::Stage::kFinal;
  transaction.final_status = status;
}

void CallMonitor::Core::HandleInviteResponse(Passage& passage, const SipMessage& message,
                                             Transaction& invite) {
  const int status = message.status();
  switch (invite.stage) {
    case Transaction::Stage::kHeld:
    case Transaction::Stage::kIgnored:
      return Drop(passage, SipReason::response_without_request);
    case Transaction::Stage::kTimedOut:
      if (!IsFailure(status)) return Drop(passage, SipReason::response_out_of_state);
      Finish(invite, status, passage.now_ns);
      return Forward(passage, SipReason::call_setup, "the call has ended");
    case Transaction::Stage::kFinal:
      // After a 2xx more of them may come: retransmissions, and other forks'.
      if (!IsFinal(status) || IsFailure(status) != IsFailure(invite.final_status)) {
        return Drop(passage, SipReason::response_out_of_state);
      }
      if (IsFailure(status) || passage.call == nullptr) {
        return Forward(passage, SipReason::retransmission);
      }
      return HandleSuccess(passage, message, invite);
    case Transaction::Stage::kProceeding:
      break;
  }
  if (passage.call == nullptr) return Drop(passage, SipReason::response_out_of_state);
  if (IsFailure(status)) return HandleFailure(passage, message, invite);
  if (IsFinal(status)) return HandleSuccess(passage, message, invite);
  if (status == 100) return Forward(passage, SipReason::call_setup);
  HandleProgress(passage, message, invite);
}

// The dialog of that tag, made when the response creates it (RFC 3261, 12.1); nullptr when the
// call has too many.
Dialog* CallMonitor::Core::GetDialog(Call& call, std::string_view callee_tag,
                                     const Transaction& invite) {
  if (Dialog* known = call.FindDialog(callee_tag)) return known;
  if (call.dialogs.size() >= config_.limits.dialogs_per_call) {
    Count(CallEvent::dialogs_refused);
    return nullptr;
  }
  Dialog dialog;
  dialog.callee_tag = callee_tag;
  dialog.branch = invite.serial;
  dialog.caller_cseq = call.cseq;
  const InviteBranch* branch = call.FindBranch(invite.serial);
  if (branch != nullptr && branch->offer) {
    const MediaOffer& offer = *branch->offer;
    dialog.negotiation.Take(invite.serial, Negotiation::Carrier::kOffer, Party::kCaller,
                            offer.answerer, offer.description);
  }
  call.dialogs.push_back(std::move(dialog));
  return &call.dialogs.back();
}

void CallMonitor::Core::HandleProgress(Passage& passage, const SipMessage& message,
                                       Transaction& invite) {
  Call& call = *passage.call;
  // Timer C (RFC 3261, 16.7): it still rings.
  call.ring_deadline_ns = passage.now_ns + Nanoseconds(config_.timeouts.ring);
  Reschedule(call);
  if (message.to().tag.empty() && message.body().empty()) {
    return Forward(passage, SipReason::call_setup);
  }
  Dialog* dialog = GetDialog(call, message.to().tag, invite);
  if (dialog == nullptr) {
    return Forward(passage, SipReason::call_setup, "too many forks: no pinholes for this one");
  }
  std::string why = Negotiate(passage, message, *dialog, invite.serial,
                              Negotiation::Carrier::kOfferOrAnswer, Party::kCallee);
  why = Join(std::move(why), FollowPinholes(call, passage.now_ns));
  Forward(passage, SipReason::call_setup, std::move(why));
}

void CallMonitor::Core::HandleSuccess(Passage& passage, const SipMessage& message,
                                      Transaction& invite) {
  Call& call = *passage.call;
  Finish(invite, message.status(), passage.now_ns);
  Dialog* dialog = GetDialog(call, message.to().tag, invite);
  if (dialog == nullptr) {
    return Forward(passage, SipReason::call_setup, "too many forks: no pinholes for this one");
  }
  const bool again = dialog->confirmed;
  dialog->confirmed = true;
  if (InviteBranch* branch = call.FindBranch(invite.serial)) {
    branch->stage = InviteBranch::Stage::kDone;
  }
  std::string why;
  if (invite.offer_known) {
    why = Negotiate(passage, message, *dialog, invite.serial, Negotiation::Carrier::kOfferOrAnswer,
                    Party::kCallee);
  }
  dialog->negotiation.Finish(invite.serial, Party::kCaller, Negotiation::Result::kSuccess);
  // One callee has picked up: the others' early media ends.
  call.DropEarlyDialogs(std::nullopt);
  if (call.answered_ns == 0) {
    call.answered_ns = passage.now_ns;
    Count(CallEvent::calls_established);
  }
  if (call.state == CallState::kRinging) call.state = CallState::kEstablished;
  if (!call.HasPendingBranch()) call.ring_deadline_ns = 0;
  why = Join(std::move(why), FollowPinholes(call, passage.now_ns));
  if (!Save(call).ok()) why = Join(std::move(why), "its record could not be stored");
  Forward(passage, again ? SipReason::retransmission : SipReason::call_setup, std::move(why));
}

void CallMonitor::Core::HandleFailure(Passage& passage, const SipMessage& message,
                                      Transaction& invite) {
  Call& call = *passage.call;
  const uint64_t serial = invite.serial;
  Finish(invite, message.status(), passage.now_ns);
  if (InviteBranch* branch = call.FindBranch(serial)) branch->stage = InviteBranch::Stage::kDone;
  call.DropEarlyDialogs(serial);
  std::string why;
  if (call.dialogs.empty() && !call.HasPendingBranch()) {
    const size_t open = call.open.size();
    if (open > 0) why = fmt::format("pinholes: {} closed", open);
    End(call, fmt::format("{} {}", message.status(), message.reason_phrase().substr(0, kOutcome)),
        CallEvent::calls_failed, passage.now_ns);
  } else {
    why = FollowPinholes(call, passage.now_ns);
  }
  Forward(passage, SipReason::call_setup, std::move(why));
}

void CallMonitor::Core::HandleDialogResponse(Passage& passage, const SipMessage& message,
                                             Transaction& request) {
  const int status = message.status();
  if (request.stage == Transaction::Stage::kFinal) {
    if (!IsFinal(status)) return Drop(passage, SipReason::response_out_of_state);
    return Forward(passage, SipReason::retransmission);
  }
  // A re-INVITE may ring as long as an INVITE; anything else is over soon (RFC 3261, 17.1.2.2).
  Finish(request, status, passage.now_ns);
  if (!IsFinal(status) && request.method == "INVITE") {
    transactions_.ExpireAt(request, passage.now_ns + Nanoseconds(config_.timeouts.ring));
  }
  Dialog* dialog = passage.call == nullptr ? nullptr : passage.call->FindDialog(request.callee_tag);
  if (dialog == nullptr) return Forward(passage, SipReason::in_dialog);
  if (request.method == "BYE") return HandleByeResponse(passage, message, request, *dialog);
  std::string why;
  const bool invite = request.method == "INVITE";
  if (invite || request.method == "UPDATE" || request.method == "PRACK") {
    if (request.offer_known && status > 100 && !IsFailure(status)) {
      why = Negotiate(passage, message, *dialog, request.serial,
                      invite ? Negotiation::Carrier::kOfferOrAnswer : Negotiation::Carrier::kAnswer,
                      Other(request.requester));
    }
    if (IsFinal(status)) {
      dialog->negotiation.Finish(
          request.serial, request.requester,
          IsFailure(status) ? Negotiation::Result::kFailure : Negotiation::Result::kSuccess);
    }
    why = Join(std::move(why), FollowPinholes(*passage.call, passage.now_ns));
  }
  Forward(passage, SipReason::in_dialog, std::move(why));
}

void CallMonitor::Core::HandleByeResponse(Passage& passage, const SipMessage& message,
                                          Transaction& bye, Dialog& dialog) {
  Call& call = *passage.call;
  std::string why;
  if (EndsDialog(message.status())) {
    const size_t open = call.open.size();
    const stem_side hung_up =
        bye.requester == Party::kCaller ? call.key.origin : Opposite(call.key.origin);
    EndDialog(call, dialog.callee_tag,
              fmt::format("BYE from {}", hung_up == STEM_SIDE_OUTSIDE ? "outside" : "inside"),
              CallEvent::calls_ended_by_bye, passage.now_ns);
    if (open > call.open.size()) why = fmt::format("pinholes: {} closed", open - call.open.size());
  } else if (IsFinal(message.status())) {
    dialog.bye_deadline_ns = 0;
    why = "the call goes on";
    if (call.state == CallState::kEnding) {
      call.state = CallState::kEstablished;
      if (!Save(call).ok()) why = Join(std::move(why), "its record could not be stored");
    }
    Reschedule(call);
  }
  Forward(passage, SipReason::in_dialog, std::move(why));
}

}  // namespace stem
