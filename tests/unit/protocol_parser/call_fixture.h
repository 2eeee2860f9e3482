// SPDX-License-Identifier: Apache-2.0
// A call monitor between two sides, and dialogs whose messages a test sends one by one.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/protocol_parser/call_monitor.h"
#include "tests/unit/protocol_parser/fakes.h"
#include "tests/unit/protocol_parser/sip_text.h"

namespace stem::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What a test says about one message.
struct MessageOptions {
  std::string branch = "";  // default: method and CSeq
  std::string body = "";
  std::string type = "application/sdp";
  std::string to_tag = "-";  // "-": the dialog's
  std::string from_tag = "-";
  uint32_t cseq = 0;  // 0: the sender's next (of ACK and CANCEL: the INVITE's)
  std::string uri = "";
  std::vector<std::pair<std::string, std::string>> fields = {};
};

// The messages of one call, as its two ends (and the proxies between) would send them. What a
// message needs to belong to the call is filled in; a test overrides what it is about.
struct TestCall {
  std::string id;
  Phone caller;
  Phone callee;
  stem_side origin = STEM_SIDE_OUTSIDE;
  std::string caller_tag = "caller";
  std::string callee_tag = "callee";
  uint32_t cseq = 1;               // the caller's
  uint32_t callee_cseq = 100;      // the callee's
  std::string no_branch_via = {};  // the whole Via value, for RFC 2543

  stem_side other_side() const {
    return origin == STEM_SIDE_OUTSIDE ? STEM_SIDE_INSIDE : STEM_SIDE_OUTSIDE;
  }
  std::string Via(std::string_view branch, const Phone& from) const {
    if (!no_branch_via.empty()) return no_branch_via;
    return fmt::format("SIP/2.0/UDP {};branch=z9hG4bK-{}-{}", from.signalling.ToString(), id,
                       branch);
  }

  Datagram Wrap(std::string payload, const Phone& from, const Phone& to, stem_side side) const {
    return {from.signalling, to.signalling, side, std::move(payload), "", 0};
  }

  // A request of the caller within the dialog, or before it (INVITE, CANCEL have no To tag).
  Datagram FromCaller(std::string_view method, MessageOptions options = {}) const {
    const bool early = method == "INVITE" || method == "CANCEL";
    return Make(method, std::move(options), caller, callee, caller_tag, early ? "" : callee_tag,
                cseq, origin);
  }
  Datagram FromCallee(std::string_view method, MessageOptions options = {}) const {
    return Make(method, std::move(options), callee, caller, callee_tag, caller_tag, callee_cseq,
                other_side());
  }
  // The response to `request`, from the other end.
  Datagram Reply(const Datagram& request, int status, MessageOptions options = {}) const {
    const MessageHead head = MessageHead::Read(request.payload);
    SipText text = SipText::Response(status, "Phrase");
    for (const HeaderField& field : head.fields) {
      if (field.name == HeaderName::kVia || field.name == HeaderName::kFrom ||
          field.name == HeaderName::kCallId || field.name == HeaderName::kCSeq) {
        text.Field(field.written_name, field.value);
      } else if (field.name == HeaderName::kTo) {
        const bool tagged = field.value.find("tag=") != std::string_view::npos || status == 100;
        const std::string tag = options.to_tag == "-" ? callee_tag : options.to_tag;
        text.Field("To", tagged || tag.empty() ? std::string(field.value)
                                               : fmt::format("{};tag={}", field.value, tag));
      }
    }
    for (const auto& [name, value] : options.fields) text.Field(name, value);
    if (!options.body.empty()) text.Body(options.body, options.type);
    return {request.destination,
            request.source,
            request.from == STEM_SIDE_OUTSIDE ? STEM_SIDE_INSIDE : STEM_SIDE_OUTSIDE,
            text.Text(),
            "",
            0};
  }

 private:
  Datagram Make(std::string_view method, MessageOptions options, const Phone& from, const Phone& to,
                const std::string& from_tag, const std::string& to_tag, uint32_t next,
                stem_side side) const {
    const uint32_t number = options.cseq != 0 ? options.cseq : next;
    if (options.branch.empty()) {
      const bool same_as_invite = method == "CANCEL";
      options.branch = fmt::format("{}{}", same_as_invite ? "INVITE" : method, number);
    }
    const std::string to_value = options.to_tag == "-" ? to_tag : options.to_tag;
    const std::string from_value = options.from_tag == "-" ? from_tag : options.from_tag;
    SipText text = SipText::Request(method, options.uri.empty() ? to.uri : options.uri);
    text.Field("Via", Via(options.branch, from))
        .Field("Max-Forwards", "70")
        .Field("From",
               fmt::format("<{}>{}", from.uri, from_value.empty() ? "" : ";tag=" + from_value))
        .Field("To", fmt::format("<{}>{}", to.uri, to_value.empty() ? "" : ";tag=" + to_value))
        .Field("Call-ID", id)
        .Field("CSeq", fmt::format("{} {}", number, method))
        .Field("Contact", fmt::format("<sip:{}>", from.signalling.ToString()));
    for (const auto& [name, value] : options.fields) text.Field(name, value);
    if (!options.body.empty()) text.Body(options.body, options.type);
    return Wrap(text.Text(), from, to, side);
  }
};

class CallMonitorTest : public testing::Test {
 protected:
  CallMonitorTest() { Start(); }

  // A new agent over the same maps; the old one is gone without a word.
  void Start() {
    monitor.reset();
    monitor = std::make_unique<CallMonitor>(
        config,
        CallMonitorPorts{sink, pinholes, store, decisions, [this] { return now_ns; }, &observer});
  }

  void Send(Datagram datagram) {
    datagram.received_ns = now_ns;
    monitor->Handle(std::move(datagram));
  }
  void Pass(milliseconds time) {
    const uint64_t end = now_ns + static_cast<uint64_t>(std::chrono::nanoseconds(time).count());
    while (now_ns < end) {
      now_ns = std::min(end, now_ns + 100'000'000);
      monitor->Tick();
    }
  }
  // What has happened since the last time, and forgets it.
  Log Happened() { return std::exchange(log, {}); }
  const SipVerdict& LastVerdict() const { return observer.verdicts.back(); }
  SipReason LastReason() const { return observer.verdicts.back().reason; }
  uint64_t Counted(SipReason reason) const { return monitor->counters()[reason]; }
  uint64_t Counted(CallEvent event) const { return monitor->counters()[event]; }
  std::vector<std::string> Open() const { return pinholes.Described(); }
  TableUse Table(std::string_view name) const {
    for (const TableUse& use : monitor->Tables()) {
      if (use.name == name) return use;
    }
    ADD_FAILURE() << "no table " << name;
    return {};
  }
  // The one call there is, ended or not, with its ladder.
  CallView TheCall() const {
    const auto all = monitor->Calls(CallMonitor::Include::kLiveAndEnded);
    EXPECT_EQ(all.size(), 1u);
    if (all.empty()) return {};
    return monitor->FindCalls(fmt::format("{:016x}", all.front().id)).front();
  }

  // Sends an INVITE with the caller's SDP and lets the security manager accept it.
  Datagram Ring(const TestCall& call) {
    Datagram invite = call.FromCaller("INVITE", {.body = Sdp(call.caller).Text()});
    Send(invite);
    if (call.origin == STEM_SIDE_OUTSIDE) decisions.Accept();
    return invite;
  }
  // INVITE, 200 with the callee's SDP, ACK.
  Datagram Establish(TestCall& call) {
    Datagram invite = Ring(call);
    Send(call.Reply(invite, 200, {.body = Sdp(call.callee).Text()}));
    Send(call.FromCaller("ACK"));
    ++call.cseq;
    return invite;
  }
  void HangUp(TestCall& call) {
    const Datagram bye = call.FromCaller("BYE");
    Send(bye);
    Send(call.Reply(bye, 200));
  }

  const Phone alice{"sip:alice@example.com", At("203.0.113.10:5060"), At("203.0.113.10:4000")};
  const Phone bob{"sip:bob@example.org", At("198.51.100.20:5060"), At("198.51.100.20:30000")};
  const Phone carol{"sip:carol@example.org", At("198.51.100.21:5060"), At("198.51.100.21:32000")};
  TestCall FromOutside(std::string id = "in@test") const { return {std::move(id), alice, bob}; }
  TestCall FromInside(std::string id = "out@test") const {
    return {std::move(id), bob, alice, STEM_SIDE_INSIDE};
  }
  // All four pinholes of an established call between alice and bob.
  std::vector<std::string> BothWays() const {
    return {"198.51.100.20:30000 from outside, 203.0.113.10:4000, rtp",
            "198.51.100.20:30001 from outside, 203.0.113.10:4001, rtcp",
            "203.0.113.10:4000 from inside, 198.51.100.20:30000, rtp",
            "203.0.113.10:4001 from inside, 198.51.100.20:30001, rtcp"};
  }

  uint64_t now_ns = 1'000'000'000'000;
  CallMonitorConfig config;
  Log log;
  FakeSink sink{log};
  FakePinholes pinholes{log};
  FakeCallStore store;
  ScriptedDecisions decisions;
  VerdictList observer;
  std::unique_ptr<CallMonitor> monitor;
};

}  // namespace stem::test
