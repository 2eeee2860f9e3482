// SPDX-License-Identifier: Apache-2.0
#include "agent/instance_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>

#include "agent/dataplane/errno_status.h"
#include "fmt/format.h"

namespace stem {

absl::StatusOr<UniqueFd> LockInstance(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), fmt::format("making {}", directory));
  const std::string path = directory + "/agent.lock";
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus(errno, fmt::format("opening {}", path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t length = read(fd.get(), holder, sizeof(holder) - 1);
    return absl::FailedPreconditionError(
        fmt::format("another stem-agent runs this instance (process {}): stop it first, or give "
                    "this one another `name`",
                    length > 0 ? holder : "unknown"));
  }
  const std::string pid = fmt::format("{}", getpid());
  if (ftruncate(fd.get(), 0) != 0 ||
      pwrite(fd.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return ErrnoStatus(errno, fmt::format("writing {}", path));
  }
  return fd;
}

}  // namespace stem
