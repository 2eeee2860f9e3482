// SPDX-License-Identifier: Apache-2.0
// The way back into the kernel: IP packets written to a TUN device are routed as if they had just
// arrived from the network.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/unique_fd.h"

namespace stem {

class TunDevice {
 public:
  // Makes and raises device `name`, with forwarding on, loose reverse-path checks and locally owned
  // source addresses accepted (the agent answers in other hosts' places). The device goes away with
  // the object. ALREADY_EXISTS when another process has it.
  static absl::StatusOr<TunDevice> Open(const std::string& name);

  // Hands one IP packet to the kernel. UNAVAILABLE when the kernel's backlog is full.
  absl::Status Write(std::string_view ip_packet);

  const std::string& name() const { return name_; }

 private:
  TunDevice(std::string name, UniqueFd fd) : name_(std::move(name)), fd_(std::move(fd)) {}

  std::string name_;
  UniqueFd fd_;
};

}  // namespace stem
