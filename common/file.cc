// SPDX-License-Identifier: Apache-2.0
#include "common/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// A file descriptor closed on every way out.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status ErrnoStatus(std::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, fmt::format("cannot {} {}", what, path));
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus("write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// Fills the open temporary file and renames it over `path`.
absl::Status FillAndRename(int fd, const std::string& temporary, const std::string& path,
                           std::string_view bytes, mode_t mode) {
  if (fchmod(fd, mode) != 0) return ErrnoStatus("set the mode of", temporary);
  RETURN_IF_ERROR(WriteAll(fd, bytes, temporary));
  if (fsync(fd) != 0) return ErrnoStatus("sync", temporary);
  if (rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus("replace", path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  // O_NONBLOCK: opening a FIFO by mistake must not hang.
  const OwnedFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return ErrnoStatus("read", path);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return ErrnoStatus("read", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        fmt::format("cannot read {}: it is not a regular file", path));
  }
  std::string bytes;
  char chunk[16384];
  for (;;) {
    const ssize_t got = read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus("read", path);
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<size_t>(got) > limit) {
      return absl::ResourceExhaustedError(
          fmt::format("cannot read {}: it is larger than {} bytes", path, limit));
    }
    bytes.append(chunk, static_cast<size_t>(got));
  }
}

absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  const OwnedFd fd(mkostemp(temporary.data(), O_CLOEXEC));  // created 0600
  if (fd.get() < 0) return ErrnoStatus("create a file beside", path);
  absl::Status done = FillAndRename(fd.get(), temporary, path, bytes, mode);
  if (!done.ok()) {
    unlink(temporary.c_str());
    return done;
  }
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const OwnedFd parent(
      open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0) return ErrnoStatus("open", directory);
  if (fsync(parent.get()) != 0) return ErrnoStatus("sync", directory);
  return absl::OkStatus();
}

}  // namespace stem
