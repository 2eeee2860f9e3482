// SPDX-License-Identifier: Apache-2.0
// The road of signalling through the agent: AF_XDP sockets in, TUN device out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/dataplane/data_plane.h"
#include "agent/dataplane/fragment_reassembly.h"
#include "agent/dataplane/packet_socket.h"
#include "agent/dataplane/tun_device.h"
#include "agent/event_loop.h"
#include "agent/protocol_parser/datagram.h"

namespace stem {

// What went wrong outside the protocol parser; as counters for people.
struct PacketPathCounters {
  uint64_t bad_checksum = 0;    // arrived with a checksum that is wrong, dropped
  uint64_t undecodable = 0;     // no UDP datagram in the frame, dropped
  uint64_t write_failed = 0;    // the kernel did not take a packet back
  uint64_t answer_failed = 0;   // an answer, or what was cut, could not be made into a packet
  uint64_t not_signalling = 0;  // put together from fragments, and then no SIP, dropped
};

struct PacketPathOptions {
  std::string tun;  // name of the TUN device
  uint32_t frames_per_queue = 2048;
  ReassemblyLimits reassembly = {};
  // Of what was put together from fragments: whether it is to be judged as SIP.
  std::function<bool(const Datagram&)> is_signalling = {};
};

class PacketPath : public DatagramSink {
 public:
  // Binds one AF_XDP socket to every RX queue of both interfaces and makes the TUN device.
  static absl::StatusOr<std::unique_ptr<PacketPath>> Open(const DataPlane& plane,
                                                          PacketPathOptions options);

  // From now on each datagram that arrives is handed to `handle`, on the loop's thread.
  absl::Status Serve(EventLoop& loop, std::function<void(Datagram)> handle);

  void Forward(const Datagram& datagram) override;
  void Answer(const Datagram& request, std::string_view payload) override;

  // Lets time pass: fragments that wait too long are forgotten.
  void Tick(uint64_t now_ns) { reassembly_.Expire(now_ns); }

  const PacketPathCounters& counters() const { return counters_; }
  const FragmentReassembly& reassembly() const { return reassembly_; }
  // Summed over the sockets.
  absl::StatusOr<PacketSocketStatistics> SocketStatistics() const;

 private:
  struct Queue {
    std::unique_ptr<PacketSocket> socket;
    stem_side side = STEM_SIDE_NONE;
  };
  PacketPath(TunDevice tun, const PacketPathOptions& options)
      : tun_(std::move(tun)),
        is_signalling_(options.is_signalling),
        reassembly_(options.reassembly) {}
  void Receive(const Queue& queue, const std::function<void(Datagram)>& handle);
  std::optional<Datagram> Decode(std::span<const uint8_t> frame, stem_side from, uint64_t now_ns);
  void Write(std::string_view ip_packet);
  // IPv6 in fragments of at most `size`, unless that is 0.
  void WriteSplit(std::string_view ip_packet, size_t size, uint32_t id);
  void Encode(const Endpoint& source, const Endpoint& destination, std::string_view payload,
              const Datagram& cause);

  TunDevice tun_;
  const std::function<bool(const Datagram&)> is_signalling_;
  FragmentReassembly reassembly_;
  std::vector<Queue> queues_;
  PacketPathCounters counters_;
};

}  // namespace stem
