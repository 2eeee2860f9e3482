// SPDX-License-Identifier: Apache-2.0
// Instructions to the firewalls: checked, and brought to a key by which a later one takes the place
// of an earlier.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sm/store/store.h"
#include "stem/v1/instruction.pb.h"

namespace stem {

// Addresses in canonical form. INVALID_ARGUMENT names the field and says what would be right.
absl::StatusOr<InstructionRecord> ToInstructionRecord(const v1::Instruction& instruction,
                                                      int64_t now_unix_ms);

// "block 203.0.113.9": an instruction for people.
std::string InstructionText(const v1::Instruction& instruction);

}  // namespace stem
