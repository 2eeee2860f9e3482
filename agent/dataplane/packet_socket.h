// SPDX-License-Identifier: Apache-2.0
// An AF_XDP socket on one RX queue: frames that the pipeline redirected to the agent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stem {

struct PacketSocketStatistics {
  uint64_t ring_full = 0;   // frames lost because the agent did not keep up
  uint64_t fill_empty = 0;  // times the kernel found no free frame
};

class PacketSocket {
 public:
  // Binds to `queue` of `interface` and enters the socket into map `xsks_fd` at `slot`, so that
  // the pipeline finds it. A queue just left by a dead agent is busy for a moment: retried for up
  // to two seconds. `frames` is a power of two; each takes 4 KiB.
  static absl::StatusOr<std::unique_ptr<PacketSocket>> Open(const std::string& interface,
                                                            uint32_t queue, uint32_t frames,
                                                            int xsks_fd, uint32_t slot);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  // Readable when frames wait.
  int fd() const;

  // Visits up to 64 waiting frames, valid during the visit only, and gives their room back.
  // Returns how many there were.
  int Receive(const std::function<void(std::span<const uint8_t>)>& visit);

  absl::StatusOr<PacketSocketStatistics> Statistics() const;

 private:
  struct Rings;
  explicit PacketSocket(std::unique_ptr<Rings> rings);
  std::unique_ptr<Rings> rings_;
};

}  // namespace stem
