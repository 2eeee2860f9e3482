// SPDX-License-Identifier: Apache-2.0
// The road of signalling through the agent: AF_XDP sockets in, TUN device out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/packet_socket.h"
#include "agent/dataplane/tun_device.h"
#include "agent/event_loop.h"
#include "agent/protocol_parser/datagram.h"

namespace stem {

// What went wrong outside the protocol parser; as counters for people.
struct PacketPathCounters {
  uint64_t bad_checksum = 0;   // arrived with a checksum that is wrong, dropped
  uint64_t undecodable = 0;    // no UDP datagram in the frame, dropped
  uint64_t write_failed = 0;   // the kernel did not take a packet back
  uint64_t answer_failed = 0;  // an answer, or what was cut, could not be made into a packet
};

class PacketPath : public DatagramSink {
 public:
  // Binds one AF_XDP socket to every RX queue of both interfaces and makes the TUN device.
  static absl::StatusOr<std::unique_ptr<PacketPath>> Open(const DataPlane& plane,
                                                          const std::string& tun,
                                                          uint32_t frames_per_queue);

  // From now on each datagram that arrives is handed to `handle`, on the loop's thread.
  absl::Status Serve(EventLoop& loop, std::function<void(Datagram)> handle);

  void Forward(const Datagram& datagram) override;
  void Answer(const Datagram& request, std::string_view payload) override;

  const PacketPathCounters& counters() const { return counters_; }
  // Summed over the sockets.
  absl::StatusOr<PacketSocketStatistics> SocketStatistics() const;

 private:
  struct Queue {
    std::unique_ptr<PacketSocket> socket;
    stem_side side = STEM_SIDE_NONE;
  };
  explicit PacketPath(TunDevice tun) : tun_(std::move(tun)) {}
  void Receive(const Queue& queue, const std::function<void(Datagram)>& handle);
  void Write(std::string_view ip_packet);
  void Encode(const Endpoint& source, const Endpoint& destination, std::string_view payload);

  TunDevice tun_;
  std::vector<Queue> queues_;
  PacketPathCounters counters_;
};

}  // namespace stem
