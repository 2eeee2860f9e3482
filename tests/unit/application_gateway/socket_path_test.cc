// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/socket_path.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/scratch_folder.h"

namespace stem {
namespace {

using testing::HasSubstr;

// A bound and, if asked, listening socket.
class Listener {
 public:
  explicit Listener(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
  }
  ~Listener() { close(fd_); }

 private:
  int fd_;
};

mode_t ModeOf(const std::string& path) {
  struct stat found {};
  EXPECT_EQ(lstat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

TEST(SocketPath, MakesParentsAndPublishesPrivately) {
  const ScratchFolder directory;
  const std::string path = directory / "run/stem/lab/agent.sock";
  const mode_t before = umask(0077);  // the parents' mode must not depend on it
  auto socket = SocketPath::Prepare(path);
  ASSERT_TRUE(socket.ok()) << socket.status();
  umask(0);  // nor the socket's
  EXPECT_EQ(ModeOf(directory / "run/stem/lab"), 0755);
  EXPECT_EQ(ModeOf(std::filesystem::path(socket->staging_path()).parent_path()), 0700);
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    const Listener listener(socket->staging_path());
    umask(before);
    ASSERT_TRUE(socket->Publish().ok());
    EXPECT_EQ(ModeOf(path), 0600);
    EXPECT_FALSE(std::filesystem::exists(socket->staging_path()));
    const auto second = SocketPath::Prepare(path);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("another agent answers on"));
  }
  { const SocketPath ends = *std::move(socket); }
  EXPECT_TRUE(std::filesystem::is_empty(directory / "run/stem/lab"));
}

TEST(SocketPath, ReplacesAStaleSocket) {
  const ScratchFolder directory;
  const std::string path = directory / "agent.sock";
  { const Listener dead(path); }
  ASSERT_TRUE(std::filesystem::is_socket(path));
  auto socket = SocketPath::Prepare(path);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const Listener listener(socket->staging_path());
  EXPECT_TRUE(socket->Publish().ok());
  EXPECT_EQ(SocketPath::Prepare(path).status().code(), absl::StatusCode::kAlreadyExists);
}

// Two agents started at once both find the place free; the second to publish must notice.
TEST(SocketPath, TheSecondToPublishLoses) {
  const ScratchFolder directory;
  const std::string path = directory / "agent.sock";
  auto first = SocketPath::Prepare(path);
  auto second = SocketPath::Prepare(path);
  ASSERT_TRUE(first.ok() && second.ok());
  const Listener one(first->staging_path());
  const Listener two(second->staging_path());
  EXPECT_TRUE(first->Publish().ok());
  EXPECT_EQ(second->Publish().code(), absl::StatusCode::kAlreadyExists);
  { const SocketPath ends = *std::move(second); }
  EXPECT_TRUE(std::filesystem::is_socket(path)) << "the loser removed the winner's socket";
}

TEST(SocketPath, LeavesASuccessorsSocketAlone) {
  const ScratchFolder directory;
  const std::string path = directory / "agent.sock";
  auto socket = SocketPath::Prepare(path);
  ASSERT_TRUE(socket.ok());
  {
    const Listener listener(socket->staging_path());
    ASSERT_TRUE(socket->Publish().ok());
  }
  std::filesystem::remove(path);
  const Listener successor(path);
  { const SocketPath ends = *std::move(socket); }
  EXPECT_TRUE(std::filesystem::is_socket(path));
}

TEST(SocketPath, RefusesWhatItMustNotReplace) {
  const ScratchFolder directory;
  const std::string file = directory / "agent.sock";
  std::ofstream(file) << "precious";
  const auto over_file = SocketPath::Prepare(file);
  EXPECT_EQ(over_file.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(over_file.status().message()), HasSubstr("is not a socket"));
  EXPECT_EQ(std::filesystem::file_size(file), 8);

  EXPECT_EQ(SocketPath::Prepare("").status().code(), absl::StatusCode::kInvalidArgument);
  const std::string long_path = directory / std::string(100, 'x');
  const auto too_long = SocketPath::Prepare(long_path);
  EXPECT_EQ(too_long.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(too_long.status().message()), HasSubstr("98 at most"));
}

}  // namespace
}  // namespace stem
