// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/kept_instructions.h"

#include <unistd.h>

#include "common/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/scratch_folder.h"

namespace stem {
namespace {

using testing::HasSubstr;

v1::WatchResponse Policy(int64_t id) {
  v1::WatchResponse policy;
  policy.set_version("7");
  policy.add_known_users("sip:alice@example.org");
  policy.add_instructions()->set_id(id);
  return policy;
}

class KeptInstructionsTest : public testing::Test {
 protected:
  ScratchFolder folder_;
  const std::string path_ = folder_ / "instructions";
  KeptInstructions kept_{path_};
};

TEST_F(KeptInstructionsTest, TheInstructionsComeBackAndNothingElse) {
  const auto none = kept_.Read();
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
  ASSERT_TRUE(kept_.Keep(Policy(9)).ok());
  const auto back = KeptInstructions(path_).Read();
  ASSERT_TRUE(back.ok() && back->has_value()) << back.status();
  ASSERT_EQ((*back)->instructions_size(), 1);
  EXPECT_EQ((*back)->instructions(0).id(), 9);
  EXPECT_EQ((*back)->known_users_size(), 0) << "who is called is nobody's business on disk";
}

TEST_F(KeptInstructionsTest, NoInstructionsAreKeptTooInThePlaceOfTheOld) {
  ASSERT_TRUE(kept_.Keep(Policy(9)).ok());
  KeptInstructions next(path_);
  ASSERT_TRUE(next.Keep(v1::WatchResponse()).ok());
  const auto back = next.Read();
  ASSERT_TRUE(back.ok() && back->has_value());
  EXPECT_EQ((*back)->instructions_size(), 0);
}

TEST_F(KeptInstructionsTest, TheSameIsNotWrittenAgain) {
  ASSERT_TRUE(kept_.Keep(Policy(9)).ok());
  ASSERT_EQ(unlink(path_.c_str()), 0);
  ASSERT_TRUE(kept_.Keep(Policy(9)).ok());
  EXPECT_NE(access(path_.c_str(), F_OK), 0);
  ASSERT_TRUE(kept_.Keep(Policy(10)).ok());
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

TEST_F(KeptInstructionsTest, ForgottenOnceAndAgain) {
  ASSERT_TRUE(kept_.Keep(Policy(9)).ok());
  EXPECT_TRUE(kept_.Forget().ok());
  EXPECT_TRUE(kept_.Forget().ok());
  EXPECT_FALSE(kept_.Read()->has_value());
  ASSERT_TRUE(kept_.Keep(Policy(9)).ok());
  EXPECT_TRUE(kept_.Read()->has_value());
}

TEST_F(KeptInstructionsTest, AnythingElseInTheFileIsAnErrorThatNamesIt) {
  ASSERT_TRUE(WriteFileAtomically(path_, "\xff\xff nonsense", 0600).ok());
  const auto back = kept_.Read();
  EXPECT_EQ(back.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(back.status().message()), HasSubstr(path_));
}

}  // namespace
}  // namespace stem
