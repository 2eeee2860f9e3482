// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/call_pinholes.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace stem {
namespace {

// Endpoints a call has been told about; a call that names more is told again.
constexpr size_t kMostRefusedEndpoints = 64;

bool SameGrant(const PinholeGrant& a, const PinholeGrant& b) {
  return a.match == b.match && a.peer == b.peer && a.media == b.media && a.call == b.call &&
         a.limits == b.limits;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Where the party that named the destination of `key` signals from.
IpAddress SignallingOf(const Call& call, const PinholeKey& key) {
  const bool caller = call.key.origin != key.from;
  return (caller ? call.caller_signalling : call.callee_signalling).address;
}

}  // namespace

std::string CallPinholes::Change::Text() const {
  std::vector<std::string> parts;
  if (opened > 0) parts.push_back(fmt::format("{} opened", opened));
  if (changed > 0) parts.push_back(fmt::format("{} changed", changed));
  if (closed > 0) parts.push_back(fmt::format("{} closed", closed));
  std::string text = parts.empty() ? "" : fmt::format("pinholes: {}", fmt::join(parts, ", "));
  for (const std::string& note : notes) {
    if (!text.empty()) text += "; ";
    text += note;
  }
  return text;
}

CallPinholes::Change CallPinholes::Follow(Call& call, uint64_t now_ns) {
  Change change;
  const PinholePlan plan = call.Plan(config_);
  if (call.refused_endpoints.size() > kMostRefusedEndpoints) call.refused_endpoints.clear();
  for (const RefusedEndpoint& refused : plan.refused()) {
    if (!call.refused_endpoints.insert(refused.endpoint).second) continue;
    Count(CallEvent::media_not_allowed);
    change.notes.push_back(refused.why);
  }
  std::erase_if(call.denied, [&](const PinholeKey& key) { return !plan.wanted().contains(key); });
  std::vector<PinholeKey> unwanted;
  for (const auto& [key, grant] : call.open) {
    if (!plan.wanted().contains(key)) unwanted.push_back(key);
  }
  for (const PinholeKey& key : unwanted) Close(call, key, change);
  for (const auto& [key, wanted] : plan.wanted()) {
    if (Denied(call, key, wanted.grant, change)) continue;
    const auto present = call.open.find(key);
    PinholeGrant grant = wanted.grant;
    if (call.lowered.contains(key)) grant.limits = Lowered(grant.limits, config_.media.lowered_to);
    if (present != call.open.end() && SameGrant(present->second, grant)) continue;
    const bool was_open = present != call.open.end();
    if (!Open(call, key, grant, now_ns, change)) continue;
    ++(was_open ? change.changed : change.opened);
  }
  return change;
}

// The kernel drops what a rule denies before it looks for a pinhole; an open one would only tell
// the operator, and whoever reads the maps, that the media may pass.
bool CallPinholes::Denied(Call& call, const PinholeKey& key, const PinholeGrant& grant,
                          Change& change) {
  const std::string rule = rules_ == nullptr ? "" : rules_->Denies(key, grant);
  if (rule.empty()) {
    call.denied.erase(key);
    return false;
  }
  if (call.denied.insert(key).second) {
    Count(CallEvent::pinholes_denied);
    change.notes.push_back(
        fmt::format("no pinhole for {}: rule {} denies it", key.destination.ToString(), rule));
    if (call.open.contains(key)) {
      spdlog::info("call {:016x}: pinhole to {} closed, rule {} denies it", call.id,
                   key.destination.ToString(), rule);
    }
  }
  if (call.open.contains(key)) Close(call, key, change);
  return true;
}

CallPinholes::Change CallPinholes::CloseAll(Call& call) {
  Change change;
  while (!call.open.empty()) {
    const PinholeKey key = call.open.begin()->first;
    Close(call, key, change);
  }
  return change;
}

void CallPinholes::Close(Call& call, const PinholeKey& key, Change& change) {
  call.open.erase(key);
  owners_.erase(key);
  const auto closed = table_.Close(key);
  if (!closed.ok()) {
    spdlog::error("closing pinhole to {}: {}", key.destination.ToString(),
                  Message(closed.status()));
    unclosed_.push_back(key);
    return;
  }
  ++change.closed;
  Count(CallEvent::pinholes_closed);
}

bool CallPinholes::Open(Call& call, const PinholeKey& key, const PinholeGrant& grant,
                        uint64_t now_ns, Change& change) {
  const bool had = call.open.contains(key);
  if (!had && !MayTake(call, key, now_ns, change)) return false;
  const absl::Status status = table_.Open(key, grant, now_ns);
  if (!status.ok()) {
    Count(CallEvent::pinholes_refused);
    change.notes.push_back(
        fmt::format("no pinhole for {}: {}", key.destination.ToString(), Message(status)));
    change.refused.Update(status);
    return false;
  }
  if (!had) Count(CallEvent::pinholes_opened);
  call.open[key] = grant;
  owners_[key] = &call;
  std::erase(unclosed_, key);
  return true;
}

bool CallPinholes::MayTake(Call& call, const PinholeKey& key, uint64_t now_ns, Change& change) {
  const auto owner = owners_.find(key);
  if (owner == owners_.end() || owner->second == &call) return true;
  const absl::StatusOr<std::optional<Pinhole>> present = table_.Find(key);
  if (!present.ok()) {
    change.refused.Update(present.status());
    change.notes.push_back(fmt::format("no pinhole for {}: {}", key.destination.ToString(),
                                       Message(present.status())));
    return false;
  }
  // An established call loses nothing to a stranger who names its port: only whoever signals from
  // where its own party does may have restarted and forgotten it.
  if (owner->second->state == CallState::kEstablished &&
      SignallingOf(*owner->second, key) != SignallingOf(call, key)) {
    Count(CallEvent::pinholes_in_use);
    change.notes.push_back(fmt::format("no pinhole for {}: call {:016x} has it",
                                       key.destination.ToString(), owner->second->id));
    return false;
  }
  if (present->has_value()) {
    const PinholeUse& use = (*present)->use;
    const uint64_t last = std::max(use.opened_ns, use.last_seen_ns);
    const auto window =
        std::chrono::duration_cast<std::chrono::nanoseconds>(config_.timeouts.takeover).count();
    if (now_ns < last + static_cast<uint64_t>(window)) {
      Count(CallEvent::pinholes_in_use);
      change.notes.push_back(fmt::format("no pinhole for {}: call {:016x} is using it",
                                         key.destination.ToString(), owner->second->id));
      return false;
    }
  }
  // Closed first, so that the newcomer starts with counters and times of its own.
  Change of_the_other;
  Close(*owner->second, key, of_the_other);
  Count(CallEvent::pinholes_taken_over);
  change.notes.push_back(
      fmt::format("pinhole for {} taken from a silent call", key.destination.ToString()));
  return true;
}

void CallPinholes::Adopt(Call& call, const Pinhole& pinhole) {
  call.open[pinhole.key] = pinhole.grant;
  call.adopted[pinhole.key] = pinhole.grant;
  owners_[pinhole.key] = &call;
}

void CallPinholes::RetryClosing() {
  for (const PinholeKey& key : std::exchange(unclosed_, {})) {
    if (!table_.Close(key).ok()) unclosed_.push_back(key);
  }
}

}  // namespace stem
