// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/call_monitor.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/random/random.h"
#include "agent/protocol_parser/call_monitor_core.h"
#include "agent/protocol_parser/sip_grammar.h"
#include "fmt/format.h"

namespace stem {
namespace {

// Reason phrases name the defect (RFC 3261, 21.4.1), within reason.
constexpr size_t kLongestReason = 100;

std::string RandomSecret() {
  absl::BitGen random;
  return fmt::format("{:016x}{:016x}", random(), random());
}

std::string SummaryOf(const MessageHead& head, size_t bytes) {
  switch (head.kind) {
    case MessageHead::Kind::kRequest:
      return fmt::format("{} {}", head.method.substr(0, 32), head.request_uri.substr(0, 100));
    case MessageHead::Kind::kResponse:
      return fmt::format("response {}", head.status);
    case MessageHead::Kind::kKeepalive:
    case MessageHead::Kind::kNotSip:
      break;
  }
  return fmt::format("{} bytes that are not SIP", bytes);
}

}  // namespace

CallMonitor::CallMonitor(CallMonitorConfig config, CallMonitorPorts ports)
    : core_(std::make_unique<Core>(std::move(config), std::move(ports))) {}
CallMonitor::~CallMonitor() = default;
absl::Status CallMonitor::Adopt() { return core_->Adopt(); }
void CallMonitor::Handle(Datagram datagram) { core_->Handle(std::move(datagram)); }
void CallMonitor::Tick() { core_->Tick(); }
uint64_t CallMonitor::JudgePinholesAgain() { return core_->JudgePinholesAgain(); }
std::vector<CallView> CallMonitor::Calls(Include include) const { return core_->Calls(include); }
std::vector<CallView> CallMonitor::FindCalls(std::string_view text) const {
  return core_->FindCalls(text);
}
const SipCounters& CallMonitor::counters() const { return core_->counters(); }
std::vector<TableUse> CallMonitor::Tables() const { return core_->Tables(); }

CallMonitor::Core::Core(CallMonitorConfig config, CallMonitorPorts ports)
    : config_(std::move(config)),
      ports_(std::move(ports)),
      idle_media_(config_.timeouts.idle_media),
      stream_watch_(config_.media.tolerated),
      calls_meter_("calls", config_.limits.calls),
      held_meter_("held messages", config_.limits.held_messages),
      held_bytes_meter_("held bytes", config_.limits.held_bytes),
      history_meter_("ended calls", std::max<size_t>(config_.limits.ended_calls, 1),
                     WhenFull::kForgetsOldest),
      transactions_(config_.limits.transactions),
      answers_(config_.limits.local_answers),
      pinholes_(config_, ports_.pinholes, counters_, ports_.rules),
      tag_secret_(RandomSecret()),
      self_(std::make_shared<Core*>(this)) {}

void CallMonitor::Core::Handle(Datagram datagram) {
  Screened screened = Screen(datagram.payload, config_.limits);
  Passage passage{datagram, "", ports_.now_ns()};
  if (screened.outcome != Screened::Outcome::kOk) return HandleRefused(passage, screened);
  // What follows the message is noise (RFC 3261, 18.3) and goes no further: the next parser might
  // see a second message in it.
  if (screened.end < datagram.payload.size()) {
    datagram.payload.resize(screened.end);
    datagram.ip_packet.clear();
  }
  const SipMessage& message = *screened.message;
  passage.summary = message.Summary();
  if (message.is_request()) {
    HandleRequest(passage, message, datagram);
  } else {
    HandleResponse(passage, message);
  }
}

void CallMonitor::Core::HandleRefused(Passage& passage, Screened& screened) {
  passage.summary = SummaryOf(screened.head, passage.datagram.payload.size());
  if (screened.outcome == Screened::Outcome::kDrop) {
    return Drop(passage, screened.reason, std::move(screened.why));
  }
  Refusal refusal{{.status = screened.status}, screened.reason, screened.why};
  if (screened.status == 400) {
    refusal.response.reason = std::string_view(screened.why).substr(0, kLongestReason);
  }
  Answer(passage, screened.head, refusal);
}

void CallMonitor::Core::HandleRequest(Passage& passage, const SipMessage& message,
                                      Datagram& datagram) {
  if (datagram.reason == STEM_REASON_sip_rate_to_agent) return RefuseInPenalty(passage, message);
  if (message.method() == "ACK") return HandleAck(passage, message);
  passage.fingerprint = absl::HashOf(datagram.payload, datagram.destination);
  const std::string key = TransactionKey(message, message.method(), passage.datagram.from);
  Judge(passage, message, datagram, key);
  // From now on only the same bytes to the same place are a retransmission of it.
  Transaction* transaction = transactions_.Find(key);
  if (transaction != nullptr && transaction->fingerprint == 0) {
    transaction->fingerprint = passage.fingerprint;
  }
}

// Without state: what comes in a penalty time may be a flood. No ACK has an answer (RFC 3261,
// 17.1.1.3), and none goes on: most are for such a 503.
void CallMonitor::Core::RefuseInPenalty(Passage& passage, const SipMessage& message) {
  if (message.method() == "ACK") {
    return Record(passage, SipAction::kAbsorbed, 0, SipReason::source_in_penalty, "");
  }
  Answer(passage, message.head(), {{.status = 503}, SipReason::source_in_penalty, ""});
}

void CallMonitor::Core::Judge(Passage& passage, const SipMessage& message, Datagram& datagram,
                              const std::string& key) {
  if (message.method() == "CANCEL") return HandleCancel(passage, message);
  if (const LocalAnswers::Given* given = answers_.Find(key)) return AnswerAgain(passage, *given);
  if (Transaction* known = transactions_.Find(key)) return HandleRetransmission(passage, *known);
  if (message.method() == "INVITE" && message.to().tag.empty()) {
    return HandleInitialInvite(passage, message, datagram, key);
  }
  HandleOtherRequest(passage, message, key);
}

void CallMonitor::Core::HandleRetransmission(Passage& passage, Transaction& transaction) {
  Attach(passage, transaction.call);
  // A client repeats the very same request (RFC 3261, 17.1.1.2 and 17.1.2.2). Another one under the
  // same branch would go past every judgement.
  if (transaction.fingerprint != 0 && transaction.fingerprint != passage.fingerprint) {
    return Drop(passage, SipReason::transaction_reused);
  }
  if (transaction.deadline_ns != 0) {
    transactions_.ExpireAt(transaction, passage.now_ns + Nanoseconds(config_.timeouts.transaction));
  }
  switch (transaction.stage) {
    case Transaction::Stage::kHeld:
      return Absorb(passage);
    case Transaction::Stage::kIgnored:
      return Drop(passage, SipReason::dropped_by_decision);
    case Transaction::Stage::kProceeding:
    case Transaction::Stage::kFinal:
    case Transaction::Stage::kTimedOut:
      return Forward(passage, SipReason::retransmission);
  }
}

void CallMonitor::Core::Forward(Passage& passage, SipReason reason, std::string why) {
  ports_.sink.Forward(passage.datagram);
  Record(passage, SipAction::kForwarded, 0, reason, std::move(why));
}

void CallMonitor::Core::Drop(Passage& passage, SipReason reason, std::string why) {
  Record(passage, SipAction::kDropped, 0, reason, std::move(why));
}

void CallMonitor::Core::Absorb(Passage& passage) {
  Record(passage, SipAction::kAbsorbed, 0, SipReason::absorbed, "");
}

std::string CallMonitor::Core::Answer(Passage& passage, const MessageHead& request,
                                      const Refusal& refusal) {
  ResponseSpec spec = refusal.response;
  const std::string to_tag = ToTag(request);
  spec.to_tag = to_tag;
  if (spec.status == 503) spec.retry_after = config_.retry_after_seconds;
  std::string response = BuildResponse(request, passage.datagram.source, spec);
  ports_.sink.Answer(passage.datagram, response);
  Record(passage, SipAction::kAnswered, spec.status, refusal.reason, refusal.why);
  return response;
}

void CallMonitor::Core::AnswerAgain(Passage& passage, const LocalAnswers::Given& given) {
  ports_.sink.Answer(passage.datagram, given.response);
  Record(passage, SipAction::kAnswered, given.status, SipReason::answered_again, "");
}

void CallMonitor::Core::Record(Passage& passage, SipAction action, int status, SipReason reason,
                               std::string why) {
  const Datagram& datagram = passage.datagram;
  SipCounters::Count& count = counters_.messages[static_cast<size_t>(reason)][datagram.from];
  ++count.messages;
  count.bytes += datagram.payload.size();
  SipVerdict verdict;
  verdict.time_ns = ports_.now_ns();
  verdict.from = datagram.from;
  verdict.source = datagram.source;
  verdict.destination = datagram.destination;
  verdict.message = passage.summary;
  verdict.action = action;
  verdict.status = status;
  verdict.reason = reason;
  verdict.why = why.empty() && Describe(reason).is_drop ? std::string(Describe(reason).meaning)
                                                        : std::move(why);
  verdict.delay_ns = verdict.time_ns > datagram.received_ns && datagram.received_ns != 0
                         ? verdict.time_ns - datagram.received_ns
                         : 0;
  verdict.asked = passage.asked;
  if (Call* call = passage.call != nullptr ? passage.call : passage.ended) {
    verdict.call = call->id;
    call->ladder.Add(verdict);
  }
  if (ports_.observer != nullptr) ports_.observer->Observe(verdict);
}

bool CallMonitor::Core::MayTakeRequests(const Datagram& datagram) const {
  const auto& ports = config_.signalling_ports;
  return std::find(ports.begin(), ports.end(), datagram.destination.port) != ports.end() ||
         (ports_.rules != nullptr && ports_.rules->Inspects(datagram));
}

// The same for an INVITE, its retransmissions and its CANCEL (RFC 3261, 8.2.7 and 9.2), without
// anything to remember.
std::string CallMonitor::Core::ToTag(const MessageHead& request) const {
  std::string text = tag_secret_;
  for (const HeaderName name : {HeaderName::kVia, HeaderName::kFrom, HeaderName::kCallId}) {
    const HeaderField* field = request.Find(name);
    text += field == nullptr ? "" : field->value;
    text += '\n';
  }
  const HeaderField* cseq = request.Find(HeaderName::kCSeq);
  const std::string_view number = cseq == nullptr ? "" : cseq->value;
  text += number.substr(0, number.find_first_of(" \t\r\n"));
  return fmt::format("stem-{:016x}", CallIdentity({text, "", STEM_SIDE_NONE}));
}

}  // namespace stem
