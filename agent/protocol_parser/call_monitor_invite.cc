// SPDX-License-Identifier: Apache-2.0
// New calls: initial INVITEs, their decisions, and what becomes of those that are not let through.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "agent/protocol_parser/sip_grammar.h"
#include "fmt/format.h"

namespace stem {
namespace {

CallQuestion MakeQuestion(const SipMessage& message, const Datagram& datagram,
                          const InviteBranch& branch) {
  CallQuestion question;
  question.call_id = message.call_id();
  question.caller = message.from().uri;
  question.caller_display = message.from().display;
  question.request_uri = message.request_uri();
  question.to = message.to().uri;
  question.user_agent = message.user_agent();
  if (branch.offer) question.codecs = branch.offer->description.Encodings();
  question.source = datagram.source;
  question.destination = datagram.destination;
  return question;
}

size_t HeldBytes(const Datagram& datagram) {
  return datagram.payload.size() + datagram.ip_packet.size();
}

}  // namespace

void CallMonitor::Core::HandleInitialInvite(Passage& passage, const SipMessage& message,
                                            Datagram& datagram, std::string key) {
  if (!MayTakeRequests(datagram)) {
    return Drop(passage, SipReason::not_signalling_port);
  }
  CallKey call_key{message.call_id(), message.from().tag, datagram.from};
  Call* call = FindCall(call_key);
  passage.call = call;
  if (call != nullptr && message.cseq() < call->cseq) {
    Answer(passage, message.head(), {{.status = 500}, SipReason::cseq_backwards, ""});
    return;
  }
  if (call == nullptr) call = NewCall(std::move(call_key), message, passage);
  if (call == nullptr) {
    Answer(passage, message.head(), {{.status = 503}, SipReason::calls_full, ""});
    return;
  }
  passage.call = call;
  std::string note;
  const InviteBranch* branch = NewBranch(*call, std::move(key), message, passage, note);
  if (branch == nullptr) {
    Answer(passage, message.head(), {{.status = 503}, SipReason::transactions_full, ""});
    if (call->branches.empty() && call->dialogs.empty()) {
      End(*call, "no room for its transaction", std::nullopt, passage.now_ns);
    }
    return;
  }
  if (datagram.from == STEM_SIDE_OUTSIDE) {
    Hold(passage, message, datagram, branch->transaction, std::move(note));
  } else {
    Admit(passage, message.head(), branch->transaction, std::move(note));
  }
}

// nullptr when the table is full. A call tried again (after a 401 or 302) goes on where it ended.
Call* CallMonitor::Core::NewCall(CallKey key, const SipMessage& message, const Passage& passage) {
  if (!calls_meter_.Take()) return nullptr;
  auto call = std::make_unique<Call>(std::move(key), config_.limits.ladder_steps);
  const auto before = ended_.find(call->key);
  if (before != ended_.end()) {
    Call* ended = before->second;
    call->id = ended->id;
    call->ladder = std::move(ended->ladder);
    ended_.erase(before);
    by_id_.erase(ended->id);
    std::erase_if(history_,
                  [ended](const std::unique_ptr<Call>& old) { return old.get() == ended; });
    history_meter_.Give();
  } else {
    call->id = FreeId(call->key);
  }
  call->caller = message.from().uri.substr(0, STEM_URI_MAX - 1);
  call->callee = message.to().uri.substr(0, STEM_URI_MAX - 1);
  call->caller_signalling = passage.datagram.source;
  call->callee_signalling = passage.datagram.destination;
  call->started_ns = passage.now_ns;
  Call* inserted = call.get();
  Insert(std::move(call));
  return inserted;
}

// nullptr when the call or the transaction table has no room for another INVITE.
InviteBranch* CallMonitor::Core::NewBranch(Call& call, std::string key, const SipMessage& message,
                                           const Passage& passage, std::string& note) {
  std::erase_if(call.branches, [](const InviteBranch& branch) {
    return branch.stage == InviteBranch::Stage::kDone;
  });
  if (call.branches.size() >= config_.limits.dialogs_per_call) return nullptr;
  Transaction* transaction = transactions_.Insert(key, TransactionTable::Purpose::kCall);
  if (transaction == nullptr) return nullptr;
  transaction->method = "INVITE";
  transaction->kind = Transaction::Kind::kInitialInvite;
  transaction->stage = Transaction::Stage::kHeld;
  transaction->call = call.id;
  InviteBranch branch;
  branch.transaction = transaction->serial;
  branch.transaction_key = std::move(key);
  if (auto description = ReadSdp(message, note)) {
    branch.offer = MediaOffer{Party::kCaller, *std::move(description),
                              passage.datagram.destination.address, transaction->serial};
  }
  call.cseq = message.cseq();
  call.ring_deadline_ns = passage.now_ns + Nanoseconds(config_.timeouts.ring);
  call.branches.push_back(std::move(branch));
  Reschedule(call);
  return &call.branches.back();
}

void CallMonitor::Core::Hold(Passage& passage, const SipMessage& message, Datagram& datagram,
                             uint64_t serial, std::string note) {
  Call& call = *passage.call;
  InviteBranch& branch = *call.FindBranch(serial);
  const size_t bytes = HeldBytes(datagram);
  const bool room = held_meter_.Take();
  if (!room || !held_bytes_meter_.Take(bytes)) {
    if (room) held_meter_.Give();
    return RefuseBranch(passage, message.head(), serial,
                        {{.status = 503}, SipReason::held_full, ""}, "no room to hold its INVITE");
  }
  Record(passage, SipAction::kHeld, 0, SipReason::held_for_decision, std::move(note));
  const CallQuestion question = MakeQuestion(message, datagram, branch);
  branch.held = HeldInvite{std::move(datagram), passage.summary};
  ports_.decisions.Decide(question, [self = std::weak_ptr<Core*>(self_), id = call.id,
                                     serial](const CallDecision& decision) {
    if (const auto core = self.lock()) (*core)->Decided(id, serial, decision);
  });
}

HeldInvite CallMonitor::Core::Release(InviteBranch& branch) {
  HeldInvite held = *std::move(branch.held);
  branch.held.reset();
  held_meter_.Give();
  held_bytes_meter_.Give(HeldBytes(held.datagram));
  return held;
}

void CallMonitor::Core::Decided(uint64_t call_id, uint64_t serial, const CallDecision& decision) {
  Call* call = CallById(call_id);
  InviteBranch* branch = call == nullptr ? nullptr : call->FindBranch(serial);
  if (branch == nullptr || !branch->held) return;  // cancelled meanwhile
  const HeldInvite held = Release(*branch);
  Passage passage{held.datagram, held.summary, ports_.now_ns(), call};
  passage.asked = true;
  const MessageHead head = MessageHead::Read(held.datagram.payload);
  call->why = decision.why;
  switch (decision.kind) {
    case CallDecision::Kind::kAccept:
      Count(CallEvent::calls_accepted);
      return Admit(passage, head, serial, decision.why);
    case CallDecision::Kind::kRefuse: {
      const bool valid = decision.status >= 300 && decision.status <= 699;
      Refusal refusal{
          {.status = valid ? decision.status : 403, .reason = decision.reason},
          decision.from_sm ? SipReason::refused_by_decision : SipReason::sm_down_refused,
          decision.why};
      return RefuseBranch(passage, head, serial, refusal,
                          fmt::format("refused with {}", refusal.response.status));
    }
    case CallDecision::Kind::kRedirect: {
      Refusal refusal{{.status = 302, .contact = decision.contact},
                      SipReason::redirected_by_decision,
                      decision.why};
      if (!IsContactUri(decision.contact)) {
        refusal.response = {.status = 480};
        refusal.why = Join(refusal.why, "the contact to redirect to is no URI");
      }
      return RefuseBranch(passage, head, serial, refusal,
                          fmt::format("redirected to {}", decision.contact));
    }
    case CallDecision::Kind::kDrop: {
      Transaction* transaction = transactions_.Find(branch->transaction_key);
      transaction->stage = Transaction::Stage::kIgnored;
      transactions_.ExpireAt(*transaction,
                             passage.now_ns + Nanoseconds(config_.timeouts.transaction));
      std::erase_if(call->branches,
                    [serial](const InviteBranch& b) { return b.transaction == serial; });
      Drop(passage, SipReason::dropped_by_decision, decision.why);
      if (call->branches.empty() && call->dialogs.empty()) {
        End(*call, "dropped", std::nullopt, passage.now_ns);
      }
      return;
    }
  }
}

// Opens what the offer needs, then lets the INVITE go on.
void CallMonitor::Core::Admit(Passage& passage, const MessageHead& head, uint64_t serial,
                              std::string why) {
  Call& call = *passage.call;
  InviteBranch& branch = *call.FindBranch(serial);
  Transaction* transaction = transactions_.Find(branch.transaction_key);
  branch.stage = InviteBranch::Stage::kPending;
  transaction->stage = Transaction::Stage::kProceeding;
  const CallPinholes::Change change = pinholes_.Follow(call, passage.now_ns);
  if (!change.refused.ok()) {
    return RefuseBranch(passage, head, serial,
                        {{.status = 503}, SipReason::pinholes_full, change.Text()},
                        "its pinholes could not be opened");
  }
  if (call.state == CallState::kDeciding) call.state = CallState::kRinging;
  if (const absl::Status saved = Save(call); !saved.ok()) {
    return RefuseBranch(passage, head, serial,
                        {{.status = 503}, SipReason::call_store_full, std::string(saved.message())},
                        "its record could not be stored");
  }
  call.ring_deadline_ns = passage.now_ns + Nanoseconds(config_.timeouts.ring);
  Reschedule(call);
  Forward(passage, SipReason::call_setup, Join(std::move(why), change.Text()));
}

// Answers the INVITE in the server's place and remembers the answer.
void CallMonitor::Core::RefuseBranch(Passage& passage, const MessageHead& head, uint64_t serial,
                                     const Refusal& refusal, std::string outcome) {
  Call& call = *passage.call;
  const std::string key = call.FindBranch(serial)->transaction_key;
  if (Transaction* transaction = transactions_.Find(key)) transactions_.Erase(*transaction);
  if (call.FindBranch(serial)->held) Release(*call.FindBranch(serial));
  std::erase_if(call.branches, [serial](const InviteBranch& b) { return b.transaction == serial; });
  call.DropEarlyDialogs(serial);
  FollowPinholes(call, passage.now_ns);
  std::string response = Answer(passage, head, refusal);
  answers_.Add(key, std::move(response), refusal.response.status,
               passage.now_ns + Nanoseconds(config_.timeouts.transaction));
  if (call.branches.empty() && call.dialogs.empty()) {
    End(call, std::move(outcome), std::nullopt, passage.now_ns);
  }
}

void CallMonitor::Core::HandleCancel(Passage& passage, const SipMessage& message) {
  const std::string invite_key = TransactionKey(message, "INVITE", passage.datagram.from);
  if (answers_.Find(invite_key) != nullptr) {
    // Too late to change anything, but CANCEL is answered all the same (RFC 3261, 9.2).
    Answer(passage, message.head(), {{.status = 200}, SipReason::answered_again, ""});
    return;
  }
  Transaction* invite = transactions_.Find(invite_key);
  if (invite == nullptr) invite = AdoptTransaction(message, passage.datagram.from, passage.now_ns);
  if (invite == nullptr) {
    Answer(passage, message.head(), {{.status = 481}, SipReason::cancel_without_invite, ""});
    return;
  }
  Attach(passage, invite->call);
  if (invite->stage == Transaction::Stage::kHeld) return CancelHeld(passage, message, *invite);
  if (invite->stage == Transaction::Stage::kIgnored) {
    return Drop(passage, SipReason::dropped_by_decision);
  }
  std::string key = TransactionKey(message, "CANCEL", passage.datagram.from);
  if (Transaction* known = transactions_.Find(key)) return HandleRetransmission(passage, *known);
  const uint64_t call = invite->call;
  Transaction* cancel = transactions_.Insert(std::move(key), TransactionTable::Purpose::kCall);
  if (cancel == nullptr) {
    Answer(passage, message.head(), {{.status = 503}, SipReason::transactions_full, ""});
    return;
  }
  cancel->method = "CANCEL";
  cancel->kind = Transaction::Kind::kCancel;
  cancel->call = call;
  transactions_.ExpireAt(*cancel, passage.now_ns + Nanoseconds(config_.timeouts.transaction));
  Forward(passage, SipReason::call_setup);
}

// Nobody beyond the agent has seen the INVITE: the agent answers both (RFC 3261, 9.2). The
// decision, when it comes, finds nothing to decide.
void CallMonitor::Core::CancelHeld(Passage& passage, const SipMessage& cancel,
                                   Transaction& invite) {
  Answer(passage, cancel.head(), {{.status = 200}, SipReason::cancelled_while_held, ""});
  const uint64_t serial = invite.serial;
  const HeldInvite held = Release(*passage.call->FindBranch(serial));
  Passage held_passage{held.datagram, held.summary, passage.now_ns, passage.call};
  RefuseBranch(held_passage, MessageHead::Read(held.datagram.payload), serial,
               {{.status = 487}, SipReason::cancelled_while_held, "cancelled by the caller"},
               "cancelled");
}

}  // namespace stem
