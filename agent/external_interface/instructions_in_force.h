// SPDX-License-Identifier: Apache-2.0
// The security manager's instructions, held against what the kernel has: thresholds, blocks and
// permits come and go with them, and at their time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/dataplane/block_table.h"
#include "agent/dataplane/permit_table.h"
#include "agent/external_interface/guard_loader.h"
#include "agent/external_interface/instruction_set.h"

namespace stem {

// One moment on both clocks: instructions end by wall time, the kernel counts monotonic time.
struct Moment {
  static Moment Now();
  uint64_t monotonic_ns = 0;
  int64_t unix_ms = 0;
};

struct InstructionPorts {
  BlockTable blocks;
  PermitTable permits;
  GuardLimits configured;  // what holds where no threshold is instructed
  GuardLoader& loader;     // must outlive the instructions
};

// Signalling thread only.
class InstructionsInForce {
 public:
  explicit InstructionsInForce(const InstructionPorts& ports) : ports_(ports) {}

  // `set` takes the place of what was instructed before, also of what an earlier agent left in the
  // kernel. Blocks and permits are in place when this returns, all thresholds together when `done`
  // is called (on the loader's thread) with OK; its error says what did not reach the kernel.
  // Instructions that are refused or find no room are no error: refused() has them.
  void Apply(InstructionSet set, const Moment& now, GuardLoader::Done done);

  // Often. Ends what has expired; once a second holds the kernel against the instructions again, so
  // that they follow a clock that was set and take room that has become free.
  void Tick(const Moment& now);

  size_t FollowedCount() const;
  // Changes whenever refused() does.
  uint64_t refusals_revision() const { return refusals_revision_; }
  // Those not followed: wrong ones, and those for which a table is full.
  std::vector<RefusedInstruction> refused() const;
  const GuardLimits& configured() const { return ports_.configured; }
  GuardLoaderState guards() const { return ports_.loader.state(); }
  // Whether the kernel holds the blocks and permits that there is room for.
  bool is_settled() const { return settling_failed_.empty(); }
  // How often a block or permit found its table full.
  uint64_t blocks_turned_away() const { return blocks_turned_away_; }
  uint64_t permits_turned_away() const { return permits_turned_away_; }

  // nullptr where no instruction is about it.
  const Instruction* BlockOf(const BlockKey& key) const;
  const Instruction* PermitOf(const PermitKey& key) const;
  const Instruction* ThresholdOf(const GuardThreshold& threshold) const;

 private:
  // By instruction, those whose table is full.
  using NoRoom = std::map<int64_t, std::string>;

  bool Expire(int64_t now_unix_ms);
  void Index();  // after every change of set_.good
  GuardLimits WantedLimits() const;
  absl::Status Settle(const Moment& now);
  absl::Status SettleBlocks(const Moment& now, NoRoom& no_room);
  absl::Status SettlePermits(const Moment& now, NoRoom& no_room);
  void TellOfNoRoom(NoRoom no_room);

  InstructionPorts ports_;
  InstructionSet set_;
  std::map<BlockKey, const Instruction*> blocks_;    // of set_.good
  std::map<PermitKey, const Instruction*> permits_;  // of set_.good
  bool instructed_ = false;  // before, what an earlier agent left in the kernel stays
  NoRoom no_room_;
  uint64_t refusals_revision_ = 0;
  std::string settling_failed_;  // so that the log says it once
  uint64_t blocks_turned_away_ = 0;
  uint64_t permits_turned_away_ = 0;
  uint64_t next_settling_ns_ = 0;
};

// What the configured limits become under these instructions.
GuardLimits LimitsUnder(const InstructionSet& set, GuardLimits configured);

}  // namespace stem
