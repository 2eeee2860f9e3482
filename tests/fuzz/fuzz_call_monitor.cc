// SPDX-License-Identifier: Apache-2.0
// Fuzzes the whole way of a SIP message: screening, osip2, the call monitor, its pinholes.
//
// An input is a script: steps separated by the byte 0x1e, each a letter and its text. O and I send
// the text as a datagram from outside and from inside; A, R, M and D accept, refuse, move
// (redirect) and drop the oldest INVITE held; T lets 2^n seconds pass (n the next byte, mod 18);
// P passes media through all pinholes; Z starts a new agent over the same maps.
//
// What must hold after every step is checked; after the last one everything must come to an end.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "agent/protocol_parser/call_monitor.h"
#include "spdlog/spdlog.h"
#include "tests/fuzz/must_hold.h"
#include "tests/unit/protocol_parser/fakes.h"

namespace stem::test {
namespace {

constexpr char kSeparator = 0x1e;
constexpr size_t kMostPinholes = 64;

class Script {
 public:
  Script() {
    config_.limits.calls = 8;
    config_.limits.held_messages = 4;
    config_.limits.transactions = 32;
    config_.limits.local_answers = 4;
    config_.limits.ended_calls = 4;
    config_.limits.ladder_steps = 8;
    config_.limits.dialogs_per_call = 4;
    config_.media_peer = MediaPeer::kLatch;
    config_.media.reaction = MediaReaction::kLower;
    pinholes_.capacity = kMostPinholes;
    Start();
  }

  void Run(std::string_view text) {
    while (!text.empty()) {
      const size_t end = std::min(text.find(kSeparator), text.size());
      Step(text.substr(0, end));
      Check();
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    while (!decisions_.waiting.empty()) decisions_.Give({});
    for (int i = 0; i < 4; ++i) PassTime(uint64_t{200'000});
    Check();
    MUST_HOLD(monitor_->Calls(CallMonitor::Include::kLive).empty());
    MUST_HOLD(pinholes_.open.empty());
    MUST_HOLD(store_.records.empty());
    for (const TableUse& use : monitor_->Tables()) {
      MUST_HOLD(use.used == 0 || use.name == "ended calls");
    }
  }

 private:
  void Start() {
    monitor_.reset();
    monitor_ = std::make_unique<CallMonitor>(
        config_,
        CallMonitorPorts{sink_, pinholes_, store_, decisions_, [this] { return now_ns_; }});
  }

  void Step(std::string_view step) {
    if (step.empty()) return;
    const std::string_view text = step.substr(1);
    switch (step.front()) {
      case 'O':
        return Send(text, outside_, inside_, STEM_SIDE_OUTSIDE);
      case 'I':
        return Send(text, inside_, outside_, STEM_SIDE_INSIDE);
      case 'A':
        return Decide(CallDecision::Kind::kAccept);
      case 'R':
        return Decide(CallDecision::Kind::kRefuse);
      case 'M':
        return Decide(CallDecision::Kind::kRedirect);
      case 'D':
        return Decide(CallDecision::Kind::kDrop);
      case 'T':
        return PassTime(uint64_t{1} << (text.empty() ? 0 : static_cast<uint8_t>(text[0]) % 18));
      case 'P':
        for (auto& [key, pinhole] : pinholes_.open) pinhole.use.last_seen_ns = now_ns_;
        return;
      case 'X':
        for (auto& [key, pinhole] : pinholes_.open) {
          pinhole.use.too_fast += 1000;
          pinhole.use.latched = outside_;
          if (!text.empty()) pinhole.use.latched->port = static_cast<uint16_t>(text[0] << 8);
        }
        return;
      case 'Z':
        Start();
        MUST_HOLD(monitor_->Adopt().ok());
        return;
      default:
        return;
    }
  }

  void Send(std::string_view text, const Endpoint& from, const Endpoint& to, stem_side side) {
    const size_t before = sink_.forwarded.size();
    monitor_->Handle({from, to, side, std::string(text), "", now_ns_});
    // At most this message went on, and of it only its beginning.
    MUST_HOLD(sink_.forwarded.size() <= before + 1);
    if (sink_.forwarded.size() > before) {
      MUST_HOLD(text.substr(0, sink_.forwarded.back().payload.size()) ==
                sink_.forwarded.back().payload);
    }
  }

  void Decide(CallDecision::Kind kind) {
    if (decisions_.waiting.empty()) return;
    decisions_.Give({.kind = kind, .reason = "no", .contact = "sip:c@example.org", .why = ""});
  }

  void PassTime(uint64_t seconds) {
    now_ns_ += seconds * 1'000'000'000;
    monitor_->Tick();
  }

  void Check() {
    std::set<uint64_t> known;
    std::set<PinholeKey> claimed;
    for (const CallView& call : monitor_->Calls(CallMonitor::Include::kLive)) {
      known.insert(call.id);
      claimed.insert(call.pinholes.begin(), call.pinholes.end());
    }
    MUST_HOLD(pinholes_.open.size() <= kMostPinholes);
    MUST_HOLD(claimed.size() == pinholes_.open.size());
    for (const auto& [key, pinhole] : pinholes_.open) {
      MUST_HOLD(known.contains(pinhole.grant.call));
      MUST_HOLD(claimed.contains(key));
      MUST_HOLD(key.destination.port >= 1024 && key.destination.port != 5060);
      MUST_HOLD(!key.destination.address.is_loopback() && !key.destination.address.is_multicast() &&
                !key.destination.address.is_unspecified());
      MUST_HOLD(pinhole.grant.match != STEM_PEER_NONE);
      MUST_HOLD(pinhole.grant.match != STEM_PEER_ANY || key.from == STEM_SIDE_INSIDE);
    }
    for (const auto& [id, record] : store_.records) MUST_HOLD(known.contains(id));
    for (const TableUse& use : monitor_->Tables()) MUST_HOLD(use.used <= use.limit);
    for (const std::string& answer : sink_.answers) MUST_HOLD(answer.rfind("SIP/2.0 ", 0) == 0);
    log_.clear();
    sink_.answers.clear();
    sink_.answered_to.clear();
  }

  const Endpoint outside_ = *Endpoint::Parse("203.0.113.10:5060");
  const Endpoint inside_ = *Endpoint::Parse("198.51.100.20:5060");
  uint64_t now_ns_ = 1'000'000'000'000;
  CallMonitorConfig config_;
  Log log_;
  FakeSink sink_{log_};
  FakePinholes pinholes_{log_};
  FakeCallStore store_;
  ScriptedDecisions decisions_;
  std::unique_ptr<CallMonitor> monitor_;
};

}  // namespace
}  // namespace stem::test

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  spdlog::set_level(spdlog::level::off);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stem::test::Script().Run({reinterpret_cast<const char*>(data), size});
  return 0;
}
