// SPDX-License-Identifier: Apache-2.0
// Drop events from the ring buffer `events`.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "bpf/stem_abi.h"

struct ring_buffer;

namespace stem {

class DropEvents {
 public:
  using Visitor = std::function<void(const stem_event&)>;

  // `visit` is called from Drain().
  static absl::StatusOr<std::unique_ptr<DropEvents>> Open(int events_fd, Visitor visit);

  // Readable when events wait.
  int fd() const;
  // Visits what waits. An error is the kernel's; events are not lost by it.
  absl::Status Drain();

 private:
  struct RingFreer {
    void operator()(ring_buffer* ring) const;
  };
  explicit DropEvents(Visitor visit) : visit_(std::move(visit)) {}

  Visitor visit_;
  std::unique_ptr<ring_buffer, RingFreer> ring_;
};

}  // namespace stem
