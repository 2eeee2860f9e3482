// SPDX-License-Identifier: Apache-2.0
#include "agent/instance_lock.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "fmt/format.h"
#include "tests/unit/scratch_folder.h"

namespace stem {
namespace {

TEST(InstanceLockTest, OneHolderAtATime) {
  const ScratchFolder scratch;
  const std::string directory = scratch / "run/fw1";
  absl::StatusOr<UniqueFd> first = LockInstance(directory);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<UniqueFd> second = LockInstance(directory);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              testing::HasSubstr(fmt::format("process {}", getpid())));
  first->Reset();
  EXPECT_TRUE(LockInstance(directory).ok()) << "released with its descriptor";
}

TEST(InstanceLockTest, AnImpossibleDirectoryIsNamed) {
  EXPECT_THAT(std::string(LockInstance("/dev/null/x").status().message()),
              testing::HasSubstr("/dev/null/x"));
}

}  // namespace
}  // namespace stem
