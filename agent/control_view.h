// SPDX-License-Identifier: Apache-2.0
// What the agent shows of itself: its parts put into the terms of proto/stem/v1/control.proto.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/active_rules.h"
#include "agent/application_gateway/control_source.h"
#include "agent/application_gateway/event_hub.h"
#include "agent/config.h"
#include "agent/data_plane_view.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/pinhole_table.h"
#include "agent/delay_histogram.h"
#include "agent/external_interface/security_manager.h"
#include "agent/packet_path.h"
#include "agent/protocol_parser/call_monitor.h"

namespace stem {

// What a reload of the rules came to.
struct RuleReload {
  size_t rules = 0;
  std::vector<std::string> warnings;  // rules that never decide
};

// The parts that are shown; all must outlive the view.
struct ControlViewParts {
  const AgentConfig& config;
  const DataPlane& plane;
  const PinholeTable& pinholes;
  const PacketPath& path;
  const SecurityManager& security_manager;
  const ActiveRules& rules;
  std::function<absl::StatusOr<RuleReload>()> reload_rules;  // any thread
  DataPlaneView& data_plane;
};

// Signalling thread only. Also the observer of verdicts: it measures delays and tells monitors.
class ControlView : public ControlSource, public VerdictObserver {
 public:
  explicit ControlView(ControlViewParts parts);

  // Completes the view; before this, questions about calls are UNAVAILABLE and no event is sent.
  void ShowCalls(const CallMonitor* monitor) { monitor_ = monitor; }
  void TellMonitors(EventHub* hub) { hub_ = hub; }

  absl::StatusOr<v1::AgentStatus> Status() override;
  absl::StatusOr<v1::ListCallsResponse> Calls(EndedCalls ended) override;
  absl::StatusOr<v1::Call> FindCall(std::string_view id) override;
  absl::StatusOr<v1::ListPinholesResponse> Pinholes() override;
  absl::StatusOr<v1::GetCountersResponse> Counters() override;
  absl::StatusOr<v1::ListRulesResponse> Rules() override;
  absl::StatusOr<v1::ReloadRulesResponse> ReloadRules() override;

  void Observe(const SipVerdict& verdict) override;
  // A drop the kernel reported.
  void Observe(const stem_event& event);
  // A new set is in force; so many pinholes were denied by it.
  void ObserveRuleReload(size_t rules, uint64_t pinholes_denied);

 private:
  void AddTables(v1::AgentStatus& status) const;

  const ControlViewParts parts_;
  const CallMonitor* monitor_ = nullptr;
  EventHub* hub_ = nullptr;
  const uint64_t started_ns_;
  DelayHistogram delay_asked_;
  DelayHistogram delay_not_asked_;
};

}  // namespace stem
