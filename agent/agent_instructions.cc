// SPDX-License-Identifier: Apache-2.0
// The security manager's instructions: kept over a restart, followed, answered for.
#include <spdlog/spdlog.h>

#include "agent/agent.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr size_t kMostNotFollowed = 20;  // told to the security manager

}  // namespace

std::optional<InstructionSet> Agent::ReadKeptInstructions() const {
  const auto kept = kept_.Read();
  if (!kept.ok()) {
    spdlog::error("what the security manager instructed before is not known: {}",
                  std::string(kept.status().message()));
    return std::nullopt;
  }
  if (!*kept) return std::nullopt;
  InstructionSet set =
      ReadInstructions((*kept)->instructions(), config_.security_manager.address.address);
  const int64_t now = Moment::Now().unix_ms;
  std::erase_if(set.good, [&](const Instruction& one) { return one.IsOver(now); });
  return set;
}

void Agent::FollowInstructions(const GuardLimits& loaded) {
  guard_loader_ = std::make_unique<GuardLoader>(loaded, [this](const GuardLimits& limits) {
    RETURN_IF_ERROR(in_force_->Change([&](DataPlaneConfig& plane) {
      plane.syn_guard = limits.syn;
      plane.invite_guard = limits.invite;
    }));
    spdlog::info("the guards' limits are as instructed and configured");
    return absl::OkStatus();
  });
  instructions_.emplace(
      InstructionPorts{BlockTable(plane_->blocks_fd(), plane_->block_count_fd()),
                       PermitTable(plane_->permits_fd()),
                       {config_.data_plane.syn_guard, config_.data_plane.invite_guard},
                       *guard_loader_});
}

void Agent::Instruct(const v1::WatchResponse& policy, PolicyWatch::Applied applied) {
  // Before they are in the kernel: an agent that dies in between must not go back to older ones.
  if (const absl::Status kept = kept_.Keep(policy); !kept.ok()) {
    spdlog::error("a restart would forget the instructions: {}", std::string(kept.message()));
    if (const absl::Status forgotten = kept_.Forget(); !forgotten.ok()) {
      spdlog::error("a restart would go back to older instructions: {}",
                    std::string(forgotten.message()));
    }
  }
  told_.reset();
  const auto in_force = [this, applied = std::move(applied)](const absl::Status& status) {
    loop_->Complete([this, status, applied] {
      told_ = {status.ok(), instructions_->refusals_revision()};
      applied({status, NotFollowed()});
    });
  };
  instructions_->Apply(
      ReadInstructions(policy.instructions(), config_.security_manager.address.address),
      Moment::Now(), in_force);
}

std::vector<std::string> Agent::NotFollowed() const {
  std::vector<std::string> out;
  const std::vector<RefusedInstruction> refused = instructions_->refused();
  for (const RefusedInstruction& one : refused) {
    if (out.size() == kMostNotFollowed) {
      out.push_back(fmt::format("and {} more instructions", refused.size() - out.size()));
      break;
    }
    out.push_back(fmt::format("instruction {} ({}): {}", one.id, one.text, one.why));
  }
  return out;
}

// Room that became free, a load that worked at last: the security manager knows only what it was
// told with the last policy, and hears it with the same policy again.
void Agent::TellAgainWhatIsFollowed() {
  if (!told_ || !security_manager_) return;
  const bool in_force = instructions_->is_settled() && instructions_->guards().failure.empty();
  const bool is_news = (in_force && !told_->in_force) ||
                       told_->refusals_revision != instructions_->refusals_revision();
  if (!is_news) return;
  told_.reset();
  security_manager_->WatchAnew();
}

}  // namespace stem
