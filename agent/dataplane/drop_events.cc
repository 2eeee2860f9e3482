// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/drop_events.h"

#include <bpf/libbpf.h>

#include <cstring>

#include "agent/dataplane/errno_status.h"

namespace stem {

void DropEvents::RingFreer::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

absl::StatusOr<std::unique_ptr<DropEvents>> DropEvents::Open(int events_fd, Visitor visit) {
  std::unique_ptr<DropEvents> events(new DropEvents(std::move(visit)));
  const ring_buffer_sample_fn on_sample = [](void* context, void* data, size_t size) {
    stem_event event{};
    std::memcpy(&event, data, std::min(size, sizeof(event)));
    static_cast<DropEvents*>(context)->visit_(event);
    return 0;
  };
  events->ring_.reset(ring_buffer__new(events_fd, on_sample, events.get(), nullptr));
  if (events->ring_ == nullptr) return ErrnoStatus(errno, "opening map events");
  return events;
}

int DropEvents::fd() const { return ring_buffer__epoll_fd(ring_.get()); }

absl::Status DropEvents::Drain() {
  const int result = ring_buffer__consume(ring_.get());
  return result < 0 ? ErrnoStatus(result, "reading map events") : absl::OkStatus();
}

}  // namespace stem
