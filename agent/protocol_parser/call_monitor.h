// SPDX-License-Identifier: Apache-2.0
// The call monitor: follows every SIP call that crosses the firewall, decides what happens to each
// message, and keeps the pinholes of each call equal to what its dialogs have negotiated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/dataplane/call_store.h"
#include "agent/dataplane/pinhole_table.h"
#include "agent/external_interface/decision_point.h"
#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/call_view.h"
#include "agent/protocol_parser/datagram.h"
#include "agent/protocol_parser/ladder.h"
#include "agent/protocol_parser/media_rules.h"
#include "agent/protocol_parser/sip_reasons.h"

namespace stem {

// What the call monitor works with; all of it must outlive the monitor.
struct CallMonitorPorts {
  DatagramSink& sink;
  PinholeTable& pinholes;
  CallStore& store;
  DecisionPoint& decisions;
  std::function<uint64_t()> now_ns;     // CLOCK_MONOTONIC
  VerdictObserver* observer = nullptr;  // may be null
  const MediaRules* rules = nullptr;    // may be null: nothing denied, nothing inspected
};

// Not thread-safe: everything happens on the signalling thread, decisions' callbacks included.
class CallMonitor {
 public:
  CallMonitor(CallMonitorConfig config, CallMonitorPorts ports);
  ~CallMonitor();
  CallMonitor(const CallMonitor&) = delete;
  CallMonitor& operator=(const CallMonitor&) = delete;

  // Takes over the calls of an earlier agent: records in the CallStore and their pinholes. Closes
  // pinholes that belong to no call. Once, before the first Handle. An error comes from reading
  // the tables; calls read before it are kept.
  absl::Status Adopt();

  // Judges one datagram: it is forwarded, held, answered or dropped, and the pinholes follow,
  // all before this returns (a held INVITE: before its decision's callback returns).
  void Handle(Datagram datagram);

  // Lets time pass: call about every 100 ms. Costs as much as there is to expire.
  void Tick();

  // Call when the static rules have changed: closes pinholes they deny, opens those of live calls
  // they no longer do. Returns how many were closed.
  uint64_t JudgePinholesAgain();

  // Calls now known, oldest first, without ladders; the ended ones too when asked for.
  enum class Include { kLive, kLiveAndEnded };
  std::vector<CallView> Calls(Include include) const;

  // The calls `text` names, with ladders: by hexadecimal id, by an unambiguous or ambiguous prefix
  // of it, or by a whole Call-ID (which a call that crosses twice has twice). Live ones first.
  std::vector<CallView> FindCalls(std::string_view text) const;

  const SipCounters& counters() const;
  std::vector<TableUse> Tables() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace stem
