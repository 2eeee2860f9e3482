// SPDX-License-Identifier: Apache-2.0
// What the call monitor shows of itself.
#include <algorithm>
#include <utility>

#include "agent/protocol_parser/call_monitor_core.h"
#include "agent/protocol_parser/sip_grammar.h"
#include "fmt/format.h"

namespace stem {

std::vector<CallView> CallMonitor::Core::Calls(Include include) const {
  std::vector<CallView> views;
  views.reserve(calls_.size());
  for (const auto& [key, call] : calls_) views.push_back(call->View());
  if (include == Include::kLiveAndEnded) {
    for (const auto& call : history_) views.push_back(call->View());
  }
  std::sort(views.begin(), views.end(), [](const CallView& a, const CallView& b) {
    return std::pair(a.started_ns, a.id) < std::pair(b.started_ns, b.id);
  });
  return views;
}

std::vector<CallView> CallMonitor::Core::FindCalls(std::string_view text) const {
  std::vector<CallView> views;
  if (text.empty()) return views;
  const std::string prefix = ToLower(text);
  const std::string call_id = CallIdIdentifier(text);
  const auto consider = [&](const Call& call) {
    if (call.key.call_id != call_id && fmt::format("{:016x}", call.id).rfind(prefix, 0) != 0)
      return;
    CallView view = call.View();
    view.ladder = call.ladder.steps();
    view.ladder_omitted = call.ladder.omitted();
    views.push_back(std::move(view));
  };
  for (const auto& [key, call] : calls_) consider(*call);
  for (const auto& call : history_) consider(*call);
  return views;
}

std::vector<TableUse> CallMonitor::Core::Tables() const {
  return {calls_meter_.use(),  held_meter_.use(), held_bytes_meter_.use(),
          transactions_.use(), answers_.use(),    history_meter_.use()};
}

}  // namespace stem
