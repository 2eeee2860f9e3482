// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/instructions_in_force.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr uint64_t kSettleEvery = 1'000 * kNsPerMs;
// Clocks drift against each other; what is nearer than this is left alone.
constexpr uint64_t kSameTime = 10 * kNsPerMs;
constexpr int64_t kLongestMs = 100LL * 365 * 24 * 3600 * 1000;  // fits 63 bits of nanoseconds
constexpr size_t kMostLines = 20;                               // of one kind in the log at once

// CLOCK_MONOTONIC of the instruction's end, `endless` without one.
uint64_t EndOf(const Instruction& instruction, const Moment& now, uint64_t endless) {
  if (instruction.until_unix_ms == 0) return endless;
  const int64_t left = std::clamp<int64_t>(instruction.until_unix_ms - now.unix_ms, 0, kLongestMs);
  return now.monotonic_ns + static_cast<uint64_t>(left * kNsPerMs);
}

bool IsSameTime(uint64_t a, uint64_t b) { return (a > b ? a - b : b - a) < kSameTime; }

template <typename Order>
const Order* As(const Instruction& instruction) {
  return std::get_if<Order>(&instruction.what);
}

Block BlockUnder(const Instruction& instruction, const Moment& now) {
  return {As<BlockOrder>(instruction)->scope, EndOf(instruction, now, 0), 0};
}

void TellWhoIsOnlyIn(const InstructionSet& set, const InstructionSet& other, const char* what) {
  std::set<int64_t> known;
  for (const Instruction& one : other.good) known.insert(one.id);
  size_t told = 0;
  for (const Instruction& one : set.good) {
    if (known.contains(one.id) || ++told > kMostLines) continue;
    spdlog::info("instruction {} {}: {}{}{}", one.id, what, one.text,
                 one.comment.empty() ? "" : "; ", one.comment);
  }
  if (told > kMostLines) spdlog::info("and {} instructions like these", told - kMostLines);
}

void TellWhatChanges(const InstructionSet& before, const InstructionSet& after) {
  TellWhoIsOnlyIn(before, after, "is taken back");
  TellWhoIsOnlyIn(after, before, "of the security manager");
  std::set<std::pair<int64_t, std::string>> known;
  for (const RefusedInstruction& one : before.refused) known.insert({one.id, one.why});
  size_t told = 0;
  for (const RefusedInstruction& one : after.refused) {
    if (known.contains({one.id, one.why}) || ++told > kMostLines) continue;
    spdlog::warn("instruction {} ({}) is not followed: {}", one.id, one.text, one.why);
  }
  if (told > kMostLines) spdlog::warn("and {} instructions like these", told - kMostLines);
}

}  // namespace

Moment Moment::Now() {
  return {MonotonicNanoseconds(),
          static_cast<int64_t>(ReadClockNanoseconds(CLOCK_REALTIME) / kNsPerMs)};
}

GuardLimits LimitsUnder(const InstructionSet& set, GuardLimits configured) {
  for (const Instruction& instruction : set.good) {
    if (const auto* order = As<ThresholdOrder>(instruction)) {
      order->threshold->of(configured) = order->limit;
    }
  }
  return configured;
}

GuardLimits InstructionsInForce::WantedLimits() const {
  return LimitsUnder(set_, ports_.configured);
}

void InstructionsInForce::Apply(InstructionSet set, const Moment& now, GuardLoader::Done done) {
  // The security manager keeps those that are over for a while.
  std::erase_if(set.good, [&](const Instruction& one) { return one.IsOver(now.unix_ms); });
  TellWhatChanges(set_, set);
  set_ = std::move(set);
  ++refusals_revision_;
  Index();
  instructed_ = true;
  const absl::Status settled = Settle(now);
  settling_failed_ = std::string(settled.message());
  ports_.loader.Want(WantedLimits(), [settled, done = std::move(done)](const absl::Status& loaded) {
    done(settled.ok() ? loaded : settled);
  });
}

void InstructionsInForce::Tick(const Moment& now) {
  if (!instructed_) return;
  if (Expire(now.unix_ms)) {
    ports_.loader.Want(WantedLimits(), [](const absl::Status&) {});  // a failure is in the log
  } else if (now.monotonic_ns < next_settling_ns_) {
    return;
  }
  const absl::Status settled = Settle(now);
  const std::string failure(settled.message());
  if (!settled.ok() && failure != settling_failed_) {
    spdlog::error("the kernel does not hold what the security manager instructs: {}", failure);
  }
  settling_failed_ = failure;
}

bool InstructionsInForce::Expire(int64_t now_unix_ms) {
  const auto over = [&](const Instruction& instruction) { return instruction.IsOver(now_unix_ms); };
  size_t told = 0;
  for (const Instruction& instruction : set_.good) {
    if (!over(instruction) || ++told > kMostLines) continue;
    spdlog::info("instruction {} is over: {}", instruction.id, instruction.text);
  }
  if (told > kMostLines) spdlog::info("and {} instructions like these", told - kMostLines);
  if (std::erase_if(set_.good, over) == 0) return false;
  Index();
  return true;
}

void InstructionsInForce::Index() {
  blocks_.clear();
  permits_.clear();
  for (const Instruction& instruction : set_.good) {
    if (const auto* block = As<BlockOrder>(instruction)) blocks_[block->key] = &instruction;
    if (const auto* permit = As<PermitOrder>(instruction)) permits_[permit->key] = &instruction;
  }
}

absl::Status InstructionsInForce::Settle(const Moment& now) {
  next_settling_ns_ = now.monotonic_ns + kSettleEvery;
  NoRoom no_room;
  RETURN_IF_ERROR(SettleBlocks(now, no_room));
  RETURN_IF_ERROR(SettlePermits(now, no_room));
  TellOfNoRoom(std::move(no_room));
  return absl::OkStatus();
}

absl::Status InstructionsInForce::SettleBlocks(const Moment& now, NoRoom& no_room) {
  auto missing = blocks_;
  ASSIGN_OR_RETURN(const std::vector<BlockEntry> there, ports_.blocks.List());
  std::set<BlockKey> have_a_place;
  for (const BlockEntry& entry : there) {
    if (entry.origin != STEM_BLOCK_BY_SM) {
      have_a_place.insert(entry.key);
      continue;
    }
    const auto wanted = missing.find(entry.key);
    if (wanted == missing.end()) {
      RETURN_IF_ERROR(ports_.blocks.Remove(STEM_BLOCK_BY_SM, entry.key).status());
      continue;
    }
    const Block block = BlockUnder(*wanted->second, now);
    if (block.scope != entry.block.scope || !IsSameTime(block.until_ns, entry.block.until_ns)) {
      RETURN_IF_ERROR(ports_.blocks.Add(STEM_BLOCK_BY_SM, entry.key, block));
    }
    missing.erase(wanted);
  }
  absl::Status full;
  for (const auto& [key, instruction] : missing) {
    // Where there was no room for one there is none for the next.
    absl::Status added = full;
    if (full.ok() || have_a_place.contains(key)) {
      added = ports_.blocks.Add(STEM_BLOCK_BY_SM, key, BlockUnder(*instruction, now));
    }
    if (absl::IsResourceExhausted(added)) {
      full = added;
      no_room[instruction->id] = "the table is full (limits.blocks)";
      if (!no_room_.contains(instruction->id)) ++blocks_turned_away_;
    } else if (!added.ok()) {
      return added;
    }
  }
  return absl::OkStatus();
}

absl::Status InstructionsInForce::SettlePermits(const Moment& now, NoRoom& no_room) {
  auto missing = permits_;
  ASSIGN_OR_RETURN(const auto there, ports_.permits.List());
  for (const auto& [key, permit] : there) {
    const auto wanted = missing.find(key);
    if (wanted == missing.end()) {
      RETURN_IF_ERROR(ports_.permits.Remove(key).status());
      continue;
    }
    const uint64_t until_ns = EndOf(*wanted->second, now, Permit::kNoEnd);
    if (!IsSameTime(until_ns, permit.until_ns)) {
      RETURN_IF_ERROR(ports_.permits.Add(key, until_ns));
    }
    missing.erase(wanted);
  }
  absl::Status full;
  for (const auto& [key, instruction] : missing) {
    absl::Status added = full;
    if (added.ok()) added = ports_.permits.Add(key, EndOf(*instruction, now, Permit::kNoEnd));
    if (absl::IsResourceExhausted(added)) {
      full = added;
      no_room[instruction->id] = "the table is full (limits.permits)";
      if (!no_room_.contains(instruction->id)) ++permits_turned_away_;
    } else if (!added.ok()) {
      return added;
    }
  }
  return absl::OkStatus();
}

void InstructionsInForce::TellOfNoRoom(NoRoom no_room) {
  size_t told = 0;
  for (const Instruction& instruction : set_.good) {
    const auto now = no_room.find(instruction.id);
    const bool before = no_room_.contains(instruction.id);
    if ((now != no_room.end()) == before || ++told > kMostLines) continue;
    if (before) {
      spdlog::info("instruction {} is followed now: {}", instruction.id, instruction.text);
    } else {
      spdlog::warn("instruction {} ({}) is not followed until there is room: {}", instruction.id,
                   instruction.text, now->second);
    }
  }
  if (told > kMostLines) spdlog::warn("and {} instructions like these", told - kMostLines);
  if (no_room != no_room_) ++refusals_revision_;
  no_room_ = std::move(no_room);
}

size_t InstructionsInForce::FollowedCount() const {
  return static_cast<size_t>(
      std::count_if(set_.good.begin(), set_.good.end(),
                    [this](const Instruction& one) { return !no_room_.contains(one.id); }));
}

std::vector<RefusedInstruction> InstructionsInForce::refused() const {
  std::vector<RefusedInstruction> out = set_.refused;
  for (const Instruction& instruction : set_.good) {
    const auto found = no_room_.find(instruction.id);
    if (found == no_room_.end()) continue;
    out.push_back({instruction.id, instruction.text, found->second});
  }
  return out;
}

const Instruction* InstructionsInForce::BlockOf(const BlockKey& key) const {
  const auto found = blocks_.find(key);
  return found == blocks_.end() ? nullptr : found->second;
}

const Instruction* InstructionsInForce::PermitOf(const PermitKey& key) const {
  const auto found = permits_.find(key);
  return found == permits_.end() ? nullptr : found->second;
}

const Instruction* InstructionsInForce::ThresholdOf(const GuardThreshold& threshold) const {
  for (const Instruction& instruction : set_.good) {
    const auto* order = As<ThresholdOrder>(instruction);
    if (order != nullptr && order->threshold == &threshold) return &instruction;
  }
  return nullptr;
}

}  // namespace stem
