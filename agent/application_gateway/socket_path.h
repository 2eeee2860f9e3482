// SPDX-License-Identifier: Apache-2.0
// The place of a Unix socket in the file system: made private, published in one step, taken away.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stem {

// A server binds staging_path(), which lies in a directory only its owner may enter, and then
// publishes the socket under its final name by rename(2). So there is no moment at which the socket
// has a wider mode than 0600, and a stale socket is replaced without a gap.
class SocketPath {
 public:
  // Makes the parent directory (0755) where it is missing and the staging directory within it.
  // INVALID_ARGUMENT when the path is empty or does not fit into a sockaddr_un (unix(7): 107
  // bytes); ALREADY_EXISTS when a process answers on it; FAILED_PRECONDITION when something that is
  // no socket is in the way. A socket on which nobody answers is stale and is replaced.
  static absl::StatusOr<SocketPath> Prepare(const std::string& path);

  SocketPath(SocketPath&& other) noexcept;
  SocketPath& operator=(SocketPath&&) = delete;
  ~SocketPath();  // removes the published socket, if it is still ours

  const std::string& path() const { return path_; }
  const std::string& staging_path() const { return staging_path_; }

  // Gives the bound socket its final mode (0600) and name, and removes the staging directory. On an
  // error nothing is published.
  absl::Status Publish();

 private:
  void RemoveStaging();
  SocketPath(std::string path, std::string staging_directory);

  std::string path_;
  std::string staging_directory_;
  std::string staging_path_;
  bool published_ = false;
  dev_t device_ = 0;  // of the published socket, to know it again
  ino_t inode_ = 0;
};

}  // namespace stem
