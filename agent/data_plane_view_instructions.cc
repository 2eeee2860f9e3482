// SPDX-License-Identifier: Apache-2.0
// What the security manager instructs, as it is in force here.
#include <algorithm>
#include <chrono>
#include <tuple>

#include "agent/data_plane_view.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr size_t kMostNotFollowed = 100;
constexpr uint64_t kNsPerMs = 1'000'000;

v1::GuardLimit ToMessage(const GuardLimit& limit) {
  v1::GuardLimit out;
  out.set_rate(limit.rate);
  out.set_burst(limit.burst);
  out.set_penalty_ms(std::chrono::duration_cast<std::chrono::milliseconds>(limit.penalty).count());
  return out;
}

}  // namespace

absl::StatusOr<v1::ListThresholdsResponse> DataPlaneView::Thresholds() {
  v1::ListThresholdsResponse out;
  GuardLoaderState guards = parts_.instructions.guards();
  GuardLimits configured = parts_.instructions.configured();
  const ModuleModes modes = parts_.in_force.modules();
  const int64_t now_unix_ms = Moment::Now().unix_ms;
  for (const GuardThreshold& threshold : GuardThresholds()) {
    v1::ThresholdInForce* shown = out.add_thresholds();
    const GuardLimit& in_force = threshold.of(guards.in_force);
    const GuardLimit* wanted = &threshold.of(configured);
    shown->set_name(threshold.name);
    shown->set_mode(ModeText(modes[threshold.module]));
    *shown->mutable_limit() = ToMessage(in_force);
    *shown->mutable_configured() = ToMessage(*wanted);
    if (const Instruction* instruction = parts_.instructions.ThresholdOf(threshold)) {
      wanted = &std::get<ThresholdOrder>(instruction->what).limit;
      shown->set_instruction(instruction->id);
      shown->set_comment(instruction->comment);
      shown->set_left_ms(instruction->until_unix_ms == 0
                             ? -1
                             : std::max<int64_t>(instruction->until_unix_ms - now_unix_ms, 0));
    }
    shown->set_loading(!(*wanted == in_force));
  }
  return out;
}

absl::StatusOr<v1::ListPermitsResponse> DataPlaneView::Permits() {
  ASSIGN_OR_RETURN(auto permits, permits_.List());
  std::sort(permits.begin(), permits.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  v1::ListPermitsResponse out;
  out.set_required(parts_.permits_required);
  const uint64_t now_ns = MonotonicNanoseconds();
  for (const auto& [key, permit] : permits) {
    if (permit.until_ns <= now_ns) continue;  // not yet taken off
    v1::PermitInForce* shown = out.add_permits();
    shown->set_source(key.source.ToString());
    shown->set_destination(key.destination.address.ToString());
    shown->set_port(key.destination.port);
    shown->set_left_ms(permit.until_ns == Permit::kNoEnd
                           ? -1
                           : static_cast<int64_t>((permit.until_ns - now_ns) / kNsPerMs));
    shown->set_used(permit.used);
    if (const Instruction* instruction = parts_.instructions.PermitOf(key)) {
      shown->set_instruction(instruction->id);
      shown->set_comment(instruction->comment);
    }
  }
  return out;
}

void DataPlaneView::DescribeInstructions(v1::AgentStatus& status) const {
  const InstructionsInForce& instructions = parts_.instructions;
  status.set_instructions(static_cast<uint32_t>(instructions.FollowedCount()));
  const std::vector<RefusedInstruction> all = instructions.refused();
  for (const RefusedInstruction& refused : all) {
    const auto told = static_cast<size_t>(status.instructions_not_followed_size());
    if (told == kMostNotFollowed) {
      status.set_instructions_not_followed_untold(all.size() - told);
      break;
    }
    v1::NotFollowed* shown = status.add_instructions_not_followed();
    shown->set_id(refused.id);
    shown->set_what(refused.text);
    shown->set_why(refused.why);
  }
  status.set_thresholds_not_loaded(instructions.guards().failure);
}

}  // namespace stem
