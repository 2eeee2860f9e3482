// SPDX-License-Identifier: Apache-2.0
#include "agent/packet_path.h"

#include <spdlog/spdlog.h>

#include "agent/dataplane/ip_packet.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace stem {

absl::StatusOr<std::unique_ptr<PacketPath>> PacketPath::Open(const DataPlane& plane,
                                                             const std::string& tun,
                                                             uint32_t frames_per_queue) {
  ASSIGN_OR_RETURN(TunDevice device, TunDevice::Open(tun));
  std::unique_ptr<PacketPath> path(new PacketPath(std::move(device)));
  for (const InterfaceState& interface : plane.interfaces()) {
    for (uint32_t queue = 0; queue < interface.queues; ++queue) {
      const uint32_t slot = interface.side * STEM_MAX_QUEUES + queue;
      ASSIGN_OR_RETURN(
          std::unique_ptr<PacketSocket> socket,
          PacketSocket::Open(interface.name, queue, frames_per_queue, plane.xsks_fd(), slot));
      path->queues_.push_back({std::move(socket), interface.side});
    }
  }
  return path;
}

absl::Status PacketPath::Serve(EventLoop& loop, std::function<void(Datagram)> handle) {
  for (const Queue& queue : queues_) {
    RETURN_IF_ERROR(
        loop.Watch(queue.socket->fd(), [this, &queue, handle] { Receive(queue, handle); }));
  }
  return absl::OkStatus();
}

// One batch at a time, so that a busy queue leaves room for the others, the timers and the
// decisions; epoll says again what still waits.
void PacketPath::Receive(const Queue& queue, const std::function<void(Datagram)>& handle) {
  const uint64_t now = MonotonicNanoseconds();
  queue.socket->Receive([&](std::span<const uint8_t> frame) {
    absl::StatusOr<Datagram> datagram = DecodeFrame(frame);
    if (!datagram.ok()) {
      ++(absl::IsDataLoss(datagram.status()) ? counters_.bad_checksum : counters_.undecodable);
      return;
    }
    datagram->from = queue.side;
    datagram->received_ns = now;
    handle(*std::move(datagram));
  });
}

void PacketPath::Write(std::string_view ip_packet) {
  const absl::Status status = tun_.Write(ip_packet);
  if (status.ok()) return;
  ++counters_.write_failed;
  spdlog::debug("{}", status.ToString());
}

void PacketPath::Forward(const Datagram& datagram) {
  if (!datagram.ip_packet.empty()) return Write(datagram.ip_packet);
  Encode(datagram.source, datagram.destination, datagram.payload);
}

void PacketPath::Answer(const Datagram& request, std::string_view payload) {
  Encode(request.destination, request.source, payload);
}

void PacketPath::Encode(const Endpoint& source, const Endpoint& destination,
                        std::string_view payload) {
  const absl::StatusOr<std::string> packet = EncodeUdp(source, destination, payload);
  if (!packet.ok()) {
    ++counters_.answer_failed;
    spdlog::debug("{}", packet.status().ToString());
    return;
  }
  Write(*packet);
}

absl::StatusOr<PacketSocketStatistics> PacketPath::SocketStatistics() const {
  PacketSocketStatistics sum;
  for (const Queue& queue : queues_) {
    ASSIGN_OR_RETURN(const PacketSocketStatistics one, queue.socket->Statistics());
    sum.ring_full += one.ring_full;
    sum.fill_empty += one.fill_empty;
  }
  return sum;
}

}  // namespace stem
