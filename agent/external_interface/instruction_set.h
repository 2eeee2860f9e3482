// SPDX-License-Identifier: Apache-2.0
// What the security manager instructs (proto/stem/v1/instruction.proto), checked and put into the
// data plane's terms.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/dataplane/block_table.h"
#include "agent/dataplane/permit_table.h"
#include "agent/external_interface/guard_thresholds.h"
#include "google/protobuf/repeated_field.h"
#include "stem/v1/instruction.pb.h"

namespace stem {

struct ThresholdOrder {
  const GuardThreshold* threshold = nullptr;
  GuardLimit limit;
};

struct BlockOrder {
  BlockKey key;
  uint32_t scope = STEM_BLOCK_ALL;
};

struct PermitOrder {
  PermitKey key;
};

struct Instruction {
  int64_t id = 0;
  std::variant<ThresholdOrder, BlockOrder, PermitOrder> what;
  int64_t until_unix_ms = 0;  // 0: until it is taken back
  std::string text;           // "block 203.0.113.9": for people
  std::string comment;

  bool IsOver(int64_t now_unix_ms) const {
    return until_unix_ms != 0 && until_unix_ms <= now_unix_ms;
  }
};

// One that this firewall does not follow.
struct RefusedInstruction {
  int64_t id = 0;
  std::string text;
  std::string why;
};

struct InstructionSet {
  std::vector<Instruction> good;
  std::vector<RefusedInstruction> refused;
};

// A wrong instruction is refused alone; so is a second one about the same threshold, source and
// destination, or connection, and one that would cut this firewall off from `security_manager`, so
// that it could not be taken back.
InstructionSet ReadInstructions(
    const google::protobuf::RepeatedPtrField<v1::Instruction>& instructions,
    const IpAddress& security_manager);

}  // namespace stem
