// SPDX-License-Identifier: Apache-2.0
#include "agent/packet_path.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "agent/dataplane/handover.h"
#include "agent/dataplane/ip_packet.h"
#include "common/clock.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr size_t kIpv6MinimumMtu = 1280;  // RFC 8200, 5

}  // namespace

absl::StatusOr<std::unique_ptr<PacketPath>> PacketPath::Open(const DataPlane& plane,
                                                             PacketPathOptions options) {
  ASSIGN_OR_RETURN(TunDevice device, TunDevice::Open(options.tun));
  std::unique_ptr<PacketPath> path(new PacketPath(std::move(device), options));
  for (const InterfaceState& interface : plane.interfaces()) {
    for (uint32_t queue = 0; queue < interface.queues; ++queue) {
      const uint32_t slot = interface.side * STEM_MAX_QUEUES + queue;
      ASSIGN_OR_RETURN(std::unique_ptr<PacketSocket> socket,
                       PacketSocket::Open(interface.name, queue, options.frames_per_queue,
                                          plane.xsks_fd(), slot));
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
    std::optional<Datagram> datagram = Decode(frame, queue.side, now);
    if (datagram) handle(*std::move(datagram));
  });
}

// nullopt for what is no datagram, or not one yet.
std::optional<Datagram> PacketPath::Decode(std::span<const uint8_t> frame, stem_side from,
                                           uint64_t now_ns) {
  std::span<const uint8_t> packet = IpPacketIn(frame);
  const stem_reason reason = HandedOverFor(frame);
  std::optional<FragmentReassembly::Reassembled> whole;
  if (ReadFragment(packet)) {
    whole = reassembly_.Take(packet, from, now_ns, reason);
    if (!whole) return std::nullopt;
    packet = {reinterpret_cast<const uint8_t*>(whole->packet.data()), whole->packet.size()};
  }
  absl::StatusOr<Datagram> datagram = DecodePacket(packet);
  if (!datagram.ok()) {
    ++(absl::IsDataLoss(datagram.status()) ? counters_.bad_checksum : counters_.undecodable);
    return std::nullopt;
  }
  datagram->from = from;
  datagram->received_ns = now_ns;
  datagram->reason = whole ? whole->reason : reason;
  if (!whole) return *std::move(datagram);
  datagram->fragment_id = whole->id;
  datagram->fragment_size = whole->fragment_size;
  if (is_signalling_ && is_signalling_(*datagram)) return *std::move(datagram);
  // The kernel lets some later fragments come before their first one, whose ports nobody knew.
  ++counters_.not_signalling;
  return std::nullopt;
}

void PacketPath::Write(std::string_view ip_packet) {
  const absl::Status status = tun_.Write(ip_packet);
  if (status.ok()) return;
  ++counters_.write_failed;
  spdlog::debug("{}", status.ToString());
}

void PacketPath::WriteSplit(std::string_view ip_packet, size_t size, uint32_t id) {
  const bool v6 = !ip_packet.empty() && static_cast<uint8_t>(ip_packet[0]) >> 4 == 6;
  if (!v6 || size == 0) return Write(ip_packet);
  for (const std::string& fragment : SplitIpv6(ip_packet, size, id)) Write(fragment);
}

void PacketPath::Forward(const Datagram& datagram) {
  if (!datagram.ip_packet.empty()) {
    return WriteSplit(datagram.ip_packet, datagram.fragment_size, datagram.fragment_id);
  }
  Encode(datagram.source, datagram.destination, datagram.payload, datagram);
}

void PacketPath::Answer(const Datagram& request, std::string_view payload) {
  Encode(request.destination, request.source, payload, request);
}

void PacketPath::Encode(const Endpoint& source, const Endpoint& destination,
                        std::string_view payload, const Datagram& cause) {
  const absl::StatusOr<std::string> packet =
      EncodeUdp(source, destination, payload, static_cast<uint16_t>(cause.fragment_id));
  if (!packet.ok()) {
    ++counters_.answer_failed;
    spdlog::debug("{}", packet.status().ToString());
    return;
  }
  WriteSplit(*packet, std::max<size_t>(cause.fragment_size, kIpv6MinimumMtu), cause.fragment_id);
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
