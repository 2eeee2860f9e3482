// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as an orderly end of commands that run until they are told to stop.
#pragma once

#include <chrono>

#include "absl/status/statusor.h"

namespace stem::ctl {

// Takes SIGINT and SIGTERM out of the usual way for as long as the process lives.
class Interrupt {
 public:
  // Call before any thread is started (a connection starts some), so that all of them inherit the
  // blocked signals.
  static absl::StatusOr<Interrupt> Catch();

  Interrupt(Interrupt&& other) noexcept;
  Interrupt& operator=(Interrupt&&) = delete;
  ~Interrupt();

  // True as soon as a signal has come, false after `time` without one. One thread at a time.
  bool Within(std::chrono::milliseconds time);

 private:
  explicit Interrupt(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace stem::ctl
