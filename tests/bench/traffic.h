// SPDX-License-Identifier: Apache-2.0
// Traffic made by the kernel's packet generator of our own (traffic_generator.bpf.c).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/pinhole_table.h"
#include "tests/bench/traffic_abi.h"
#include "traffic_generator.skel.h"
#include "traffic_sink.skel.h"

namespace stem {

// Length of the IP packet with 20 ms of G.711 audio (RFC 3551): 160 bytes after IP, UDP, RTP.
inline constexpr uint32_t kVoicePacket = 200;

// What to send. It holds the generator's state, so a later run goes on with the next RTP packets.
struct Traffic {
  std::vector<traffic_stream> streams;  // 1 to TRAFFIC_STREAMS; those with an interval first
  uint32_t frame_bytes = 14 + kVoicePacket;
};

struct FlowRange {
  uint32_t flows = 0;
  uint32_t first = 0;
  uint32_t stride = 1;
};
// A stream at full speed. A SYN is 40 bytes of IP in a longer frame, the others fill it.
traffic_stream Stream(traffic_kind kind, const FlowRange& range, uint32_t ip_length = kVoicePacket);
Traffic OneStream(traffic_kind kind, const FlowRange& range);

// A frame as it is before the headers are written into it.
std::vector<char> FrameTemplate(const Traffic& traffic);

// The pinhole that flow needs, and who sends through it.
PinholeKey PinholeOf(uint32_t flow);
Endpoint PeerOf(uint32_t flow);

struct GeneratorDestroyer {
  void operator()(traffic_generator* skeleton) const;
};
struct SinkDestroyer {
  void operator()(traffic_sink* skeleton) const;
};

// The calling thread's namespace and CPU are the generator's.
class TrafficGenerator {
 public:
  // Frames leave by outside1 of the lab the calling thread is in.
  static absl::StatusOr<TrafficGenerator> Load();

  // Runs the program `runs` times, a frame each unless all streams wait for their time; returns
  // when the frames are through everything that happens on this CPU, with the seconds it took
  // without setting up and clearing away (by the kernel's own clock, which stops while something
  // else runs). `deliver` false: drops every frame where it is made.
  absl::StatusOr<double> Run(Traffic& traffic, uint64_t runs, bool deliver = true);

 private:
  using Pointer = std::unique_ptr<traffic_generator, GeneratorDestroyer>;
  TrafficGenerator(Pointer skeleton, unsigned egress)
      : skeleton_(std::move(skeleton)), egress_(egress) {}
  Pointer skeleton_;
  unsigned egress_;
};

class TrafficSink {
 public:
  // Counts and drops what comes to inside1 of the lab the calling thread is in.
  static absl::StatusOr<TrafficSink> Attach();

  // Packets of each stream since the sink was attached, on one CPU.
  absl::StatusOr<std::vector<uint64_t>> Arrived(int cpu) const;
  // ... and on all.
  absl::StatusOr<std::vector<uint64_t>> Arrived() const;

 private:
  using Pointer = std::unique_ptr<traffic_sink, SinkDestroyer>;
  explicit TrafficSink(Pointer skeleton) : skeleton_(std::move(skeleton)) {}
  Pointer skeleton_;
};

}  // namespace stem
