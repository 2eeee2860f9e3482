// SPDX-License-Identifier: Apache-2.0
// The inside of the call monitor. Its parts, a file each: ways out and views (call_monitor.cc), new
// calls (call_monitor_invite.cc), requests of known calls (call_monitor_request.cc), responses
// (call_monitor_response.cc), streams (call_monitor_media.cc), time and restart
// (call_monitor_time.cc, call_monitor_adopt.cc).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/flow_monitor/idle_media.h"
#include "agent/flow_monitor/stream_watch.h"
#include "agent/protocol_parser/call.h"
#include "agent/protocol_parser/call_monitor.h"
#include "agent/protocol_parser/call_pinholes.h"
#include "agent/protocol_parser/deadline_queue.h"
#include "agent/protocol_parser/screening.h"
#include "agent/protocol_parser/sip_message.h"
#include "agent/protocol_parser/sip_response.h"
#include "agent/protocol_parser/transaction_table.h"

namespace stem {

class CallMonitor::Core {
 public:
  Core(CallMonitorConfig config, CallMonitorPorts ports);

  absl::Status Adopt();
  void Handle(Datagram datagram);
  void Tick();
  uint64_t JudgePinholesAgain();
  std::vector<CallView> Calls(Include include) const;
  std::vector<CallView> FindCalls(std::string_view text) const;
  const SipCounters& counters() const { return counters_; }
  std::vector<TableUse> Tables() const;

 private:
  // One message on its way through the agent.
  struct Passage {
    const Datagram& datagram;
    std::string summary;
    uint64_t now_ns = 0;
    Call* call = nullptr;      // set as soon as it is known
    Call* ended = nullptr;     // instead, when the call it belongs to is over
    bool asked = false;        // a decision was waited for
    uint64_t fingerprint = 0;  // of a request: its bytes and its destination
  };
  // Why a message is refused, and with what.
  struct Refusal {
    ResponseSpec response;
    SipReason reason = SipReason::malformed;
    std::string why;
  };
  // Whose message it is within a call.
  struct Membership {
    Call* call = nullptr;
    Party sender = Party::kCaller;
    std::string_view callee_tag;
  };

  // One that does not keep to its limits.
  struct ExceedingStream {
    PinholeKey key;
    Endpoint peer;
    StreamWatch::Counts since;  // in one period
  };

  // Ways out. Each carries out one verdict, counts it, and tells the ladder and the observer.
  void Forward(Passage& passage, SipReason reason, std::string why = "");
  void Drop(Passage& passage, SipReason reason, std::string why = "");
  void Absorb(Passage& passage);
  // Returns the bytes sent, for a retransmission to get again.
  std::string Answer(Passage& passage, const MessageHead& request, const Refusal& refusal);
  void AnswerAgain(Passage& passage, const LocalAnswers::Given& given);
  void Record(Passage& passage, SipAction action, int status, SipReason reason, std::string why);

  void HandleRefused(Passage& passage, Screened& screened);
  void HandleRequest(Passage& passage, const SipMessage& message, Datagram& datagram);
  void Judge(Passage& passage, const SipMessage& message, Datagram& datagram,
             const std::string& key);
  void RefuseInPenalty(Passage& passage, const SipMessage& message);
  void HandleRetransmission(Passage& passage, Transaction& transaction);

  // New calls.
  void HandleInitialInvite(Passage& passage, const SipMessage& message, Datagram& datagram,
                           std::string key);
  Call* NewCall(CallKey key, const SipMessage& message, const Passage& passage);
  InviteBranch* NewBranch(Call& call, std::string key, const SipMessage& message,
                          const Passage& passage, std::string& note);
  void Hold(Passage& passage, const SipMessage& message, Datagram& datagram, uint64_t serial,
            std::string note);
  void Decided(uint64_t call_id, uint64_t serial, const CallDecision& decision);
  void Admit(Passage& passage, const MessageHead& head, uint64_t serial, std::string why);
  void RefuseBranch(Passage& passage, const MessageHead& head, uint64_t serial,
                    const Refusal& refusal, std::string outcome);
  HeldInvite Release(InviteBranch& branch);
  void HandleCancel(Passage& passage, const SipMessage& message);
  void CancelHeld(Passage& passage, const SipMessage& cancel, Transaction& invite);

  // Requests of known calls, and those of none.
  void HandleAck(Passage& passage, const SipMessage& message);
  void HandleOtherRequest(Passage& passage, const SipMessage& message, std::string key);
  void HandleInDialog(Passage& passage, const SipMessage& message, const Membership& member,
                      std::string key);
  void HandleWithoutCall(Passage& passage, const SipMessage& message, std::string key);
  void HandleOutOfDialog(Passage& passage, std::string key);
  Membership FindMember(const SipMessage& message, stem_side from);
  // The same among the calls that have ended: their late BYE and ACK still pass.
  const Call* FindEnded(const SipMessage& message, stem_side from) const;

  // Responses.
  void HandleResponse(Passage& passage, const SipMessage& message);
  void HandleInviteResponse(Passage& passage, const SipMessage& message, Transaction& invite);
  void HandleProgress(Passage& passage, const SipMessage& message, Transaction& invite);
  void HandleSuccess(Passage& passage, const SipMessage& message, Transaction& invite);
  void HandleFailure(Passage& passage, const SipMessage& message, Transaction& invite);
  void HandleDialogResponse(Passage& passage, const SipMessage& message, Transaction& request);
  void HandleByeResponse(Passage& passage, const SipMessage& message, Transaction& bye,
                         Dialog& dialog);
  Dialog* GetDialog(Call& call, std::string_view callee_tag, const Transaction& invite);
  void Finish(Transaction& transaction, int status, uint64_t now_ns);

  // Media.
  std::optional<SessionDescription> ReadSdp(const SipMessage& message, std::string& note);
  // Gives the dialog the message's session description, if it has one; what it was, in words.
  std::string Negotiate(const Passage& passage, const SipMessage& message, Dialog& dialog,
                        uint64_t transaction, Negotiation::Carrier carrier, Party sender);
  std::string FollowPinholes(Call& call, uint64_t now_ns);
  uint64_t NextLook(const Call& call, uint64_t now_ns) const;
  void CheckStreams(Call& call, uint64_t now_ns);
  bool React(Call& call, const std::vector<ExceedingStream>& streams, uint64_t now_ns);
  void TellOfStream(Call& call, const ExceedingStream& stream, std::string why, uint64_t now_ns);

  // Calls and time.
  Call* FindCall(const CallKey& key);
  Call* CallById(uint64_t id);  // live ones only
  // Sets the passage's call, live or ended, to the one of that id.
  void Attach(Passage& passage, uint64_t id);
  uint64_t FreeId(const CallKey& key) const;
  void Insert(std::unique_ptr<Call> call);
  absl::Status Save(const Call& call);
  void End(Call& call, std::string outcome, std::optional<CallEvent> event, uint64_t now_ns);
  void GiveUpBranches(Call& call, uint64_t now_ns);
  void EndDialog(Call& call, std::string_view callee_tag, const std::string& outcome,
                 CallEvent event, uint64_t now_ns);
  void MoveToHistory(Call& call);
  void Reschedule(Call& call);
  void CheckDeadlines(Call& call, uint64_t now_ns);
  void CheckIdle(Call& call, uint64_t now_ns);
  Transaction* AdoptTransaction(const SipMessage& message, stem_side requested_from,
                                uint64_t now_ns);
  void Schedule(Call& call, uint64_t now_ns);

  // Whether requests may go where this one does: a signalling port, or a rule has it inspected.
  bool MayTakeRequests(const Datagram& datagram) const;
  std::string ToTag(const MessageHead& request) const;
  void Count(CallEvent event) { ++counters_.events[static_cast<size_t>(event)]; }

  const CallMonitorConfig config_;
  CallMonitorPorts ports_;
  SipCounters counters_;
  const IdleMedia idle_media_;
  const StreamWatch stream_watch_;
  UseMeter calls_meter_;
  UseMeter held_meter_;
  UseMeter held_bytes_meter_;
  UseMeter history_meter_;
  TransactionTable transactions_;
  LocalAnswers answers_;
  CallPinholes pinholes_;
  absl::flat_hash_map<CallKey, std::unique_ptr<Call>> calls_;
  absl::flat_hash_map<uint64_t, Call*> by_id_;  // live and ended
  DeadlineQueue<Call> deadlines_;
  std::deque<std::unique_ptr<Call>> history_;  // oldest first
  absl::flat_hash_map<CallKey, Call*> ended_;  // newest of its key in history_
  std::string tag_secret_;                     // makes To tags nobody can guess
  // A decision's callback that comes when the monitor is gone finds this gone too.
  std::shared_ptr<Core*> self_;
};

inline uint64_t Nanoseconds(std::chrono::milliseconds duration) {
  return static_cast<uint64_t>(std::chrono::nanoseconds(duration).count());
}

// "a; b", or the one that is not empty.
inline std::string Join(std::string a, std::string_view b) {
  if (!a.empty() && !b.empty()) a += "; ";
  a += b;
  return a;
}

}  // namespace stem
