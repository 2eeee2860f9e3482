// SPDX-License-Identifier: Apache-2.0
#include "agent/control_view.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "agent/control_messages.h"
#include "agent/dataplane/counter_reader.h"
#include "common/clock.h"
#include "common/status_macros.h"
#include "common/version.h"

namespace stem {
namespace {

constexpr double kNsPerUs = 1000.0;

const char* SmDownText(SmDown down) {
  switch (down) {
    case SmDown::kRefuse:
      return "refuse";
    case SmDown::kKnownUsers:
      return "known_users";
    case SmDown::kAccept:
      return "accept";
  }
  return "";
}

void AddDelay(v1::AgentStatus& status, const char* name, const DelayHistogram& histogram) {
  v1::Delay* delay = status.add_delays();
  delay->set_name(name);
  delay->set_count(histogram.count());
  delay->set_p50_us(static_cast<double>(histogram.Percentile(0.50)) / kNsPerUs);
  delay->set_p99_us(static_cast<double>(histogram.Percentile(0.99)) / kNsPerUs);
  delay->set_max_us(static_cast<double>(histogram.max()) / kNsPerUs);
}

v1::Counter* AddCounter(v1::GetCountersResponse& out, std::string_view name, stem_side side,
                        std::pair<uint64_t, uint64_t> packets_and_bytes, bool drop,
                        std::string_view meaning) {
  v1::Counter* counter = out.add_counters();
  counter->set_name(std::string(name));
  counter->set_side(ToMessage(side));
  counter->set_packets(packets_and_bytes.first);
  counter->set_bytes(packets_and_bytes.second);
  counter->set_drop(drop);
  counter->set_meaning(std::string(meaning));
  return counter;
}

}  // namespace

ControlView::ControlView(ControlViewParts parts)
    : parts_(parts), started_ns_(MonotonicNanoseconds()) {}

absl::StatusOr<v1::AgentStatus> ControlView::Status() {
  v1::AgentStatus out;
  const AgentConfig& config = parts_.config;
  out.set_name(config.data_plane.name);
  out.set_version(kVersion);
  out.set_pid(getpid());
  out.set_started_unix_ms(WallNanoseconds(started_ns_) / 1'000'000);
  for (const InterfaceState& interface : parts_.plane.interfaces()) {
    v1::Interface* shown = out.add_interfaces();
    shown->set_name(interface.name);
    shown->set_side(ToMessage(interface.side));
    shown->set_xdp_mode(interface.mode == XdpMode::kNative ? "native" : "generic");
    shown->set_queues(interface.queues);
    shown->set_dispatcher(interface.dispatcher);
  }
  const SecurityManagerState sm = parts_.security_manager.State();
  out.set_sm_address(config.security_manager.address.ToString());
  out.set_sm_connected(sm.connected);
  out.set_sm_down(SmDownText(config.security_manager.down));
  out.set_policy_version(sm.policy_version);
  out.set_pin_directory(DataPlane::PinDirectory(config.data_plane.name));
  AddTables(out);
  parts_.data_plane.Describe(out);
  AddDelay(out, "without SM decision", delay_not_asked_);
  AddDelay(out, "with SM decision", delay_asked_);
  if (monitor_ != nullptr) {
    out.set_adopted_calls(monitor_->counters()[CallEvent::calls_adopted]);
  }
  return out;
}

void ControlView::AddTables(v1::AgentStatus& status) const {
  std::vector<TableUse> tables = {parts_.path.reassembly().datagrams(),
                                  parts_.path.reassembly().bytes()};
  if (monitor_ != nullptr) {
    const std::vector<TableUse> calls = monitor_->Tables();
    tables.insert(tables.begin(), calls.begin(), calls.end());
  }
  for (const TableUse& use : tables) {
    v1::TableUse* table = status.add_tables();
    table->set_name(std::string(use.name));
    table->set_used(use.used);
    table->set_limit(use.limit);
    table->set_high_water(use.high_water);
    table->set_refused(use.refused);
    table->set_forgets_oldest(use.when_full == WhenFull::kForgetsOldest);
  }
}

absl::StatusOr<v1::ListCallsResponse> ControlView::Calls(EndedCalls ended) {
  if (monitor_ == nullptr) return absl::UnavailableError("the agent is starting");
  v1::ListCallsResponse out;
  const auto include = ended == EndedCalls::kIncluded ? CallMonitor::Include::kLiveAndEnded
                                                      : CallMonitor::Include::kLive;
  for (const CallView& call : monitor_->Calls(include)) *out.add_calls() = ToMessage(call);
  return out;
}

absl::StatusOr<v1::Call> ControlView::FindCall(std::string_view id) {
  if (monitor_ == nullptr) return absl::UnavailableError("the agent is starting");
  const std::vector<CallView> found = monitor_->FindCalls(id);
  if (found.empty()) {
    return absl::NotFoundError(
        fmt::format("no call '{}': `stemctl calls --all` lists those the agent remembers", id));
  }
  if (found.size() > 1) {
    return absl::FailedPreconditionError(
        fmt::format("'{}' fits {} calls, among them {} and {}: write more of the id", id,
                    found.size(), CallIdText(found[0].id), CallIdText(found[1].id)));
  }
  const CallView& call = found.front();
  v1::Call out = ToMessage(call);
  for (size_t i = 0; i < call.ladder.size(); ++i) {
    v1::LadderStep* step = out.add_ladder();
    *step = ToMessage(call.ladder[i]);
    // The ladder keeps its first half whole; what is missing, is missing after it.
    if (call.ladder_omitted > 0 && i == parts_.config.calls.limits.ladder_steps / 2) {
      step->set_omitted_before(call.ladder_omitted);
    }
  }
  const uint64_t now = MonotonicNanoseconds();
  for (const PinholeKey& key : call.pinholes) {
    ASSIGN_OR_RETURN(const std::optional<Pinhole> pinhole, parts_.pinholes.Find(key));
    if (pinhole) *out.add_pinholes() = ToMessage(*pinhole, now);
  }
  return out;
}

absl::StatusOr<v1::ListPinholesResponse> ControlView::Pinholes() {
  ASSIGN_OR_RETURN(std::vector<Pinhole> pinholes, parts_.pinholes.List());
  std::sort(pinholes.begin(), pinholes.end(),
            [](const Pinhole& a, const Pinhole& b) { return a.key < b.key; });
  v1::ListPinholesResponse out;
  const uint64_t now = MonotonicNanoseconds();
  for (const Pinhole& pinhole : pinholes) *out.add_pinholes() = ToMessage(pinhole, now);
  return out;
}

absl::StatusOr<v1::GetCountersResponse> ControlView::Counters() {
  v1::GetCountersResponse out;
  ASSIGN_OR_RETURN(const std::vector<CounterValue> kernel,
                   ReadCounters(parts_.plane.counters_fd()));
  // In the same order.
  ASSIGN_OR_RETURN(const std::vector<CounterValue> observed,
                   ReadCounters(parts_.plane.observed_fd()));
  for (size_t i = 0; i < kernel.size(); ++i) {
    const CounterValue& value = kernel[i];
    const ReasonInfo reason = DescribeReason(value.reason);
    v1::Counter* counter = AddCounter(out, reason.name, value.side, {value.packets, value.bytes},
                                      reason.is_drop, reason.meaning);
    counter->set_module(std::string(ModuleName(reason.module)));
    counter->set_observed(observed[i].packets);
  }
  const PacketPathCounters& path = parts_.path.counters();
  ASSIGN_OR_RETURN(const PacketSocketStatistics sockets, parts_.path.SocketStatistics());
  const auto add = [&](const char* name, uint64_t count, const char* meaning) {
    AddCounter(out, name, STEM_SIDE_NONE, {count, 0}, true, meaning);
  };
  add("agent_bad_checksum", path.bad_checksum, "signalling with a wrong UDP checksum");
  add("agent_undecodable", path.undecodable, "signalling frames the agent could not decode");
  add("agent_write_failed", path.write_failed, "packets the kernel did not take back");
  add("agent_answer_failed", path.answer_failed, "answers that fit no datagram");
  add("agent_not_signalling", path.not_signalling,
      "datagrams put together from fragments that are no SIP signalling");
  const ReassemblyCounters& fragments = parts_.path.reassembly().counters();
  AddCounter(out, "fragments_completed", STEM_SIDE_NONE, {fragments.completed, 0}, false,
             "datagrams put together from fragments");
  add("fragments_timed_out", fragments.timed_out, "datagrams whose fragments did not all come");
  add("fragments_overlapping", fragments.overlapping,
      "datagrams given up because their fragments overlap (RFC 5722)");
  add("fragments_too_large", fragments.too_large,
      "datagrams of fragments that are longer than 65535 bytes, or too many");
  add("fragments_malformed", fragments.malformed, "fragments with impossible lengths");
  add("fragments_full", fragments.full,
      "fragments for which there was no room (limits.reassembly)");
  add("agent_ring_full", sockets.ring_full, "signalling lost because the agent did not keep up");
  add("agent_no_frame", sockets.fill_empty, "times the kernel found no free AF_XDP frame");
  if (monitor_ == nullptr) return out;

  const SipCounters& sip = monitor_->counters();
  for (size_t reason = 0; reason < kSipReasonCount; ++reason) {
    for (int side = STEM_SIDE_OUTSIDE; side < STEM_SIDE_MAX; ++side) {
      const SipCounters::Count& count = sip.messages[reason][static_cast<size_t>(side)];
      AddCounter(out, fmt::format("sip_{}", kSipReasons[reason].name), static_cast<stem_side>(side),
                 {count.messages, count.bytes}, kSipReasons[reason].is_drop,
                 kSipReasons[reason].meaning);
    }
  }
  for (size_t event = 0; event < kCallEventCount; ++event) {
    AddCounter(out, kCallEvents[event].name, STEM_SIDE_NONE, {sip.events[event], 0}, false,
               kCallEvents[event].meaning);
  }
  return out;
}

absl::StatusOr<v1::ListRulesResponse> ControlView::Rules() {
  v1::ListRulesResponse out;
  uint32_t place = 0;
  for (const Rule& rule : parts_.rules.rules()) {
    v1::Rule* shown = out.add_rules();
    *shown = ToMessage(rule);
    shown->set_place(++place);
    if (const int64_t slot = parts_.rules.SlotOf(rule); slot >= 0) {
      ASSIGN_OR_RETURN(const stem_count count, ReadRuleCounter(parts_.plane.rule_counters_fd(),
                                                               static_cast<uint32_t>(slot)));
      shown->set_packets(count.packets);
      shown->set_bytes(count.bytes);
    }
  }
  return out;
}

absl::StatusOr<v1::ReloadRulesResponse> ControlView::ReloadRules() {
  ASSIGN_OR_RETURN(const RuleReload done, parts_.reload_rules());
  v1::ReloadRulesResponse out;
  out.set_rules(static_cast<uint32_t>(done.rules));
  for (const std::string& warning : done.warnings) out.add_warnings(warning);
  return out;
}

void ControlView::Observe(const SipVerdict& verdict) {
  if (verdict.action != SipAction::kHeld && verdict.reason != SipReason::media_policed) {
    (verdict.asked ? delay_asked_ : delay_not_asked_).Add(verdict.delay_ns);
  }
  if (hub_ != nullptr && hub_->listened()) hub_->Publish(ToEvent(verdict));
}

void ControlView::Observe(const stem_event& event) {
  if (hub_ == nullptr || !hub_->listened()) return;
  v1::Event told = ToEvent(event, parts_.rules.NameOf(event.rule));
  for (const InterfaceState& interface : parts_.plane.interfaces()) {
    if (interface.side == event.side) told.set_interface(interface.name);
  }
  hub_->Publish(told);
}

void ControlView::ObserveRuleReload(size_t rules, uint64_t pinholes_denied) {
  const std::string what = fmt::format("{} rules in force", rules);
  const std::string why = fmt::format("{} pinholes denied by them", pinholes_denied);
  spdlog::info("{}, {}", what, why);
  if (hub_ == nullptr || !hub_->listened()) return;
  v1::Event event;
  event.set_unix_us(WallNanoseconds(MonotonicNanoseconds()) / 1000);
  event.set_kind("rules");
  event.set_verdict("reloaded");
  event.set_what(what);
  event.set_why(why);
  hub_->Publish(event);
}

}  // namespace stem
