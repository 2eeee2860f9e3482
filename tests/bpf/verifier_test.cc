// SPDX-License-Identifier: Apache-2.0
// The verifier's work has a ceiling: a program near the kernel's limit fails on the next kernel.
#include "tests/bpf/verifier_cost.h"

#include <cstdio>

#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class VerifierTest : public KernelBench {};

TEST_F(VerifierTest, EveryProgramStaysBelowTheCeiling) {
  Load(DefaultConfig());
  const auto costs = ReadProgramCosts(Instance());
  ASSERT_TRUE(costs.ok()) << costs.status();
  ASSERT_EQ(costs->size(), 2u);
  for (const ProgramCost& cost : *costs) {
    std::printf("%s: %u instructions verified, %u bytes of machine code\n", cost.name.c_str(),
                cost.verified, cost.bytes);
    EXPECT_GT(cost.verified, 0u) << cost.name;
    EXPECT_LT(cost.verified, kMostVerifiedInstructions) << cost.name;
  }
}

}  // namespace
}  // namespace stem
