// SPDX-License-Identifier: Apache-2.0
#include "ctl/interrupt.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/status/status.h"

namespace stem::ctl {

absl::StatusOr<Interrupt> Interrupt::Catch() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (error != 0) return absl::ErrnoToStatus(error, "cannot block signals");
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return absl::ErrnoToStatus(errno, "cannot wait for signals");
  return Interrupt(fd);
}

Interrupt::Interrupt(Interrupt&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Interrupt::~Interrupt() {
  if (fd_ >= 0) close(fd_);
}

bool Interrupt::Within(std::chrono::milliseconds time) {
  pollfd waited{.fd = fd_, .events = POLLIN, .revents = 0};
  return poll(&waited, 1, static_cast<int>(time.count())) > 0;
}

}  // namespace stem::ctl
