// SPDX-License-Identifier: Apache-2.0
#include "common/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "gtest/gtest.h"

namespace stem {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "stem_file_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  size_t Entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::filesystem::path folder_;
};

TEST_F(FileTest, WritesWithItsModeAndReadsBack) {
  const std::string path = folder_ / "key";
  ASSERT_TRUE(WriteFileAtomically(path, std::string("a\0b", 3), 0600).ok());
  EXPECT_EQ(*ReadFile(path, 3), std::string("a\0b", 3));
  const mode_t before = umask(0077);
  ASSERT_TRUE(WriteFileAtomically(path, "new", 0644).ok());
  umask(before);
  EXPECT_EQ(*ReadFile(path, 100), "new");
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  EXPECT_EQ(Entries(), 1u) << "a temporary file was left";
}

TEST_F(FileTest, FailureLeavesNothingBehind) {
  EXPECT_EQ(WriteFileAtomically(folder_ / "no" / "file", "x", 0600).code(),
            absl::StatusCode::kNotFound);
  std::filesystem::create_directory(folder_ / "taken");
  EXPECT_FALSE(WriteFileAtomically(folder_ / "taken", "x", 0600).ok());
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FileTest, RefusesWhatIsNoSmallFile) {
  const std::string path = folder_ / "f";
  ASSERT_TRUE(WriteFileAtomically(path, "12345", 0600).ok());
  EXPECT_EQ(ReadFile(path, 4).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadFile(folder_ / "none", 4).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder_, 4).status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(fifo, 4).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace stem
