// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/socket_path.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "spdlog/spdlog.h"

namespace stem {
namespace {

constexpr size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr char kStagingSuffix[] = ".XXXXXX";
constexpr char kStagingName[] = "/s";

absl::Status MakeDirectories(const std::filesystem::path& directory) {
  std::filesystem::path made;
  for (const std::filesystem::path& part : directory) {
    made /= part;
    // The mode is set again because mkdir's is cut by the umask.
    if (mkdir(made.c_str(), 0755) == 0) {
      if (chmod(made.c_str(), 0755) != 0) {
        return absl::ErrnoToStatus(errno, fmt::format("cannot set the mode of {}", made.native()));
      }
    } else if (errno != EEXIST) {
      return absl::ErrnoToStatus(errno, fmt::format("cannot make directory {}", made.native()));
    }
  }
  return absl::OkStatus();
}

// OK when the path is free or holds a stale socket.
absl::Status CheckNobodyAnswers(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, fmt::format("cannot look at {}", path));
  }
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(
        fmt::format("{} exists and is not a socket: remove it, or name another path", path));
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return absl::ErrnoToStatus(errno, "cannot make a Unix socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, kLongestPath);
  const int result = connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  const int error = errno;
  close(probe);
  if (result == 0 || error == EAGAIN) {  // EAGAIN: somebody listens and has a full backlog
    return absl::AlreadyExistsError(
        fmt::format("another agent answers on {}: stop it, or give this one another name", path));
  }
  if (error == ECONNREFUSED) return absl::OkStatus();
  return absl::ErrnoToStatus(error, fmt::format("cannot tell whether anybody answers on {}", path));
}

}  // namespace

SocketPath::SocketPath(std::string path, std::string staging_directory)
    : path_(std::move(path)),
      staging_directory_(std::move(staging_directory)),
      staging_path_(staging_directory_ + kStagingName) {}

SocketPath::SocketPath(SocketPath&& other) noexcept
    : path_(std::move(other.path_)),
      staging_directory_(std::exchange(other.staging_directory_, {})),
      staging_path_(std::move(other.staging_path_)),
      published_(std::exchange(other.published_, false)),
      device_(other.device_),
      inode_(other.inode_) {}

absl::StatusOr<SocketPath> SocketPath::Prepare(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("the control socket has no path");
  const size_t longest = kLongestPath - (sizeof(kStagingSuffix) - 1) - (sizeof(kStagingName) - 1);
  if (path.size() > longest) {
    return absl::InvalidArgumentError(fmt::format(
        "{} is too long for a Unix socket: {} bytes, {} at most", path, path.size(), longest));
  }
  RETURN_IF_ERROR(MakeDirectories(std::filesystem::path(path).parent_path()));
  RETURN_IF_ERROR(CheckNobodyAnswers(path));
  std::string staging = path + kStagingSuffix;
  if (mkdtemp(staging.data()) == nullptr) {  // mode 0700
    return absl::ErrnoToStatus(errno, fmt::format("cannot make a directory beside {}", path));
  }
  return SocketPath(path, std::move(staging));
}

absl::Status SocketPath::Publish() {
  if (chmod(staging_path_.c_str(), 0600) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot set the mode of {}", staging_path_));
  }
  struct stat made {};
  if (lstat(staging_path_.c_str(), &made) != 0) {
    return absl::ErrnoToStatus(errno, fmt::format("cannot look at {}", staging_path_));
  }
  // Between Prepare and here another agent may have published: looked at once more under a lock
  // that every agent takes, on the directory because it is there before and after us.
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  const int directory =
      open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || flock(directory, LOCK_EX) != 0) {
    absl::Status failed =
        absl::ErrnoToStatus(errno, fmt::format("cannot lock {}", parent.native()));
    if (directory >= 0) close(directory);
    return failed;
  }
  absl::Status status = CheckNobodyAnswers(path_);
  if (status.ok() && rename(staging_path_.c_str(), path_.c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, fmt::format("cannot publish the socket {}", path_));
  }
  close(directory);
  RETURN_IF_ERROR(status);
  published_ = true;
  device_ = made.st_dev;
  inode_ = made.st_ino;
  RemoveStaging();  // now, so that not even a killed agent leaves it behind
  return absl::OkStatus();
}

SocketPath::~SocketPath() {
  if (published_) {
    struct stat found {};
    const bool ours =
        lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_;
    if (ours && unlink(path_.c_str()) != 0) {
      spdlog::warn("cannot remove the control socket {}: {}", path_, std::strerror(errno));
    }
  }
  RemoveStaging();
}

void SocketPath::RemoveStaging() {
  if (staging_directory_.empty()) return;
  std::error_code error;
  std::filesystem::remove_all(staging_directory_, error);
  if (error) spdlog::warn("cannot remove {}: {}", staging_directory_, error.message());
  staging_directory_.clear();
}

}  // namespace stem
