// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/traffic.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <string_view>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr uint32_t kBatch = 64;  // frames in flight; a veth's ring holds 256
// What follows the headers in every frame; the generator writes "INVITE sip:b" before it.
constexpr std::string_view kRequestRest =
    "ob@inside.example SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKbench\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:a@outside.example>;tag=1\r\nTo: <sip:bob@inside.example>\r\n";
constexpr uint8_t kMacs[12] = {2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 2};  // outside0, outside1

IpAddress Ipv4Address(uint32_t host_order) {
  const uint32_t network = htonl(host_order);
  return IpAddress::FromV4(reinterpret_cast<const uint8_t*>(&network));
}

// Neighbours in time are no neighbours in number, and every flow gets its turn.
uint32_t TurnStep(uint32_t flows) {
  uint32_t step = std::max(1u, static_cast<uint32_t>(0.618 * flows));
  while (std::gcd(step, flows) != 1) ++step;
  return step;
}

}  // namespace

void GeneratorDestroyer::operator()(traffic_generator* skeleton) const {
  traffic_generator__destroy(skeleton);
}

void SinkDestroyer::operator()(traffic_sink* skeleton) const { traffic_sink__destroy(skeleton); }

traffic_stream Stream(traffic_kind kind, const FlowRange& range, uint32_t ip_length) {
  traffic_stream stream{};
  stream.kind = kind;
  stream.flows = range.flows;
  stream.first = range.first;
  stream.stride = range.stride;
  stream.step = TurnStep(range.flows);
  stream.ip_length = is_tcp(kind) ? 40 : ip_length;
  stream.burst = 1;
  stream.round_step = 1;
  return stream;
}

Traffic OneStream(traffic_kind kind, const FlowRange& range) {
  Traffic traffic;
  traffic.streams = {Stream(kind, range)};
  return traffic;
}

std::vector<char> FrameTemplate(const Traffic& traffic) {
  std::vector<char> frame(traffic.frame_bytes);
  const size_t rest = std::min(kRequestRest.size(), frame.size() - TRAFFIC_HEADERS);
  std::copy_n(kRequestRest.begin(), rest, frame.begin() + TRAFFIC_HEADERS);
  return frame;
}

PinholeKey PinholeOf(uint32_t flow) {
  const traffic_flow at = flow_of(TRAFFIC_RTP, flow);
  return {{Ipv4Address(at.destination), at.destination_port}, STEM_SIDE_OUTSIDE};
}

Endpoint PeerOf(uint32_t flow) {
  const traffic_flow at = flow_of(TRAFFIC_RTP, flow);
  return {Ipv4Address(at.source), at.source_port};
}

absl::StatusOr<TrafficGenerator> TrafficGenerator::Load() {
  const unsigned egress = if_nametoindex("outside1");
  Pointer skeleton(traffic_generator__open_and_load());
  if (skeleton == nullptr) return ErrnoStatus(errno, "loading the traffic generator");
  std::copy_n(kMacs, sizeof(kMacs), skeleton->bss->macs);
  return TrafficGenerator(std::move(skeleton), egress);
}

absl::StatusOr<double> TrafficGenerator::Run(Traffic& traffic, uint64_t runs, bool deliver) {
  auto& state = *skeleton_->bss;
  std::copy(traffic.streams.begin(), traffic.streams.end(), state.streams);
  state.stream_count = static_cast<uint32_t>(traffic.streams.size());
  state.paced_count = static_cast<uint32_t>(std::ranges::count_if(
      traffic.streams, [](const traffic_stream& stream) { return stream.interval_ns != 0; }));
  state.egress_ifindex = deliver ? egress_ : 0;

  std::vector<char> frame = FrameTemplate(traffic);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()), .repeat = static_cast<int>(runs),
              .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = kBatch);
  if (bpf_prog_test_run_opts(bpf_program__fd(skeleton_->progs.generate), &options) != 0) {
    return ErrnoStatus(errno, "running the traffic generator");
  }
  std::copy_n(state.streams, traffic.streams.size(), traffic.streams.begin());
  return 1e-9 * options.duration * static_cast<double>(runs);
}

absl::StatusOr<TrafficSink> TrafficSink::Attach() {
  Pointer skeleton(traffic_sink__open_and_load());
  if (skeleton == nullptr) return ErrnoStatus(errno, "loading the traffic sink");
  skeleton->links.swallow =
      bpf_program__attach_xdp(skeleton->progs.swallow, static_cast<int>(if_nametoindex("inside1")));
  if (skeleton->links.swallow == nullptr) return ErrnoStatus(errno, "attaching the traffic sink");
  return TrafficSink(std::move(skeleton));
}

absl::StatusOr<std::vector<uint64_t>> TrafficSink::Arrived(int cpu) const {
  std::vector<uint64_t> arrived(TRAFFIC_STREAMS);
  std::vector<uint64_t> by_cpu(libbpf_num_possible_cpus());
  for (uint32_t stream = 0; stream < TRAFFIC_STREAMS; ++stream) {
    const int map = bpf_map__fd(skeleton_->maps.arrived);
    if (bpf_map_lookup_elem(map, &stream, by_cpu.data()) != 0) {
      return ErrnoStatus(errno, "reading the traffic sink");
    }
    for (size_t i = 0; i < by_cpu.size(); ++i) {
      if (cpu < 0 || static_cast<size_t>(cpu) == i) arrived[stream] += by_cpu[i];
    }
  }
  return arrived;
}

absl::StatusOr<std::vector<uint64_t>> TrafficSink::Arrived() const { return Arrived(-1); }

}  // namespace stem
