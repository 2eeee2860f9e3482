// SPDX-License-Identifier: Apache-2.0
// How much work the kernel's verifier has with the programs of a loaded data plane.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace stem {

struct ProgramCost {
  std::string name;
  uint32_t verified = 0;  // instructions the verifier went through, all paths together
  uint32_t bytes = 0;     // of machine code
};

// What a test allows. The kernel refuses a program above 1,000,000; other kernels than the one at
// hand count other paths, hence half of that.
inline constexpr uint32_t kMostVerifiedInstructions = 500'000;

// The root and what is in slot 0 of the instance called `name`. Needs CAP_SYS_ADMIN.
absl::StatusOr<std::vector<ProgramCost>> ReadProgramCosts(const std::string& name);

}  // namespace stem
