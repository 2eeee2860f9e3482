// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/kernel_bench.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>

namespace stem {
namespace {

// For ip(8), which reads a script from its standard input. The far ends are mute: multicast reports
// of theirs would be counted among the packets of a test.
constexpr char kTopology[] = R"(set -e
ip -batch - <<'END'
link set lo up
link add outside0 address 02:00:00:00:01:01 numrxqueues 2 numtxqueues 2 type veth peer name outside1 address 02:00:00:00:01:02 numrxqueues 2 numtxqueues 2
link add inside0 address 02:00:00:00:02:01 numrxqueues 2 numtxqueues 2 type veth peer name inside1 address 02:00:00:00:02:02 numrxqueues 2 numtxqueues 2
END
echo 1 > /proc/sys/net/ipv6/conf/outside1/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/inside1/disable_ipv6
ip -batch - <<'END'
link set outside0 up
link set outside1 up
link set inside0 up
link set inside1 up
addr add 192.0.2.1/24 dev outside0
addr add 198.51.100.1/24 dev inside0
addr add 2001:db8:1::1/64 dev outside0 nodad
addr add 2001:db8:2::1/64 dev inside0 nodad
neigh add 192.0.2.10 lladdr 02:00:00:00:01:02 dev outside0
neigh add 198.51.100.20 lladdr 02:00:00:00:02:02 dev inside0
neigh add 2001:db8:1::10 lladdr 02:00:00:00:01:02 dev outside0
neigh add 2001:db8:2::20 lladdr 02:00:00:00:02:02 dev inside0
END
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
)";

UniqueFd ProgramOf(const char* interface) {
  uint32_t id = 0;
  EXPECT_EQ(bpf_xdp_query_id(static_cast<int>(if_nametoindex(interface)), 0, &id), 0);
  return UniqueFd(bpf_prog_get_fd_by_id(id));
}

std::string missing;  // why the bench cannot run here, empty when it can

}  // namespace

Endpoint At(std::string_view text) {
  const absl::StatusOr<Endpoint> endpoint = Endpoint::Parse(text);
  EXPECT_TRUE(endpoint.ok()) << endpoint.status();
  return endpoint.value_or(Endpoint{});
}

std::string KernelBench::Instance() { return "bpf-test-" + std::to_string(getpid()); }

namespace {

// libxdp leaves descriptors of the dispatchers it could not attach open: some for every test.
void AllowManyFiles() {
  rlimit limit{};
  EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0) << "errno " << errno;
  limit.rlim_cur = limit.rlim_max;
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0) << "errno " << errno;
}

}  // namespace

void KernelBench::SetUpTestSuite() {
  static const bool once = [] {
    if (geteuid() != 0) {
      missing = "needs root";
    } else if (unshare(CLONE_NEWNET) != 0) {
      missing = "cannot make a network namespace";
    } else if (std::system(kTopology) != 0) {  // NOLINT(cert-env33-c): ip(8) is the interface
      missing = "cannot make veth interfaces";
    }
    return true;
  }();
  (void)once;
  if (missing.empty()) AllowManyFiles();
}

void KernelBench::SetUp() {
  if (!missing.empty()) GTEST_SKIP() << missing;
}

void KernelBench::TearDown() {
  socket_.reset();
  plane_.reset();
  if (missing.empty()) {
    EXPECT_TRUE(DataPlane::Remove(Instance(), {"outside0", "inside0"}).ok());
    EXPECT_NE(access(DataPlane::PinDirectory(Instance()).c_str(), F_OK), 0) << "pins left behind";
  }
}

DataPlaneConfig KernelBench::DefaultConfig() const {
  DataPlaneConfig config;
  config.name = Instance();
  config.outside = "outside0";
  config.inside = "inside0";
  config.sip_ports = {5060};
  config.max_calls = 16;
  config.max_pinholes = 16;
  // Small tables: each test makes them anew, in an emulated machine, too.
  config.max_syn_sources = config.max_verified_sources = config.max_sip_sources = 1024;
  config.max_fragments = config.max_rule_slots = 1024;
  // Payloads here are words, not RTP; media_test.cc switches the checks on.
  config.modules[STEM_MODULE_rtp_checks] = STEM_MODULE_OFF;
  return config;
}

void KernelBench::Load(const DataPlaneConfig& config) {
  absl::StatusOr<DataPlane> plane = DataPlane::Open(config);
  ASSERT_TRUE(plane.ok()) << plane.status();
  plane_ = *std::move(plane);
}

DataPlane& KernelBench::plane() {
  if (!plane_.has_value()) plane_ = DataPlane::Open(DefaultConfig()).value();
  return *plane_;
}

UniqueFd KernelBench::OutsideProgram() { return ProgramOf("outside0"); }

uint32_t KernelBench::TestRun(const Bytes& frame, stem_side side, uint32_t queue, Bytes& out) {
  const UniqueFd program = ProgramOf(side == STEM_SIDE_INSIDE ? "inside0" : "outside0");
  EXPECT_TRUE(program.valid());
  xdp_md context{};
  context.data_end = static_cast<uint32_t>(frame.size());
  context.ingress_ifindex = if_nametoindex(side == STEM_SIDE_OUTSIDE  ? "outside0"
                                           : side == STEM_SIDE_INSIDE ? "inside0"
                                                                      : "lo");
  context.rx_queue_index = queue;
  out.resize(frame.size() + 256);
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(), .data_out = out.data(),
              .data_size_in = static_cast<uint32_t>(frame.size()),
              .data_size_out = static_cast<uint32_t>(out.size()), .ctx_in = &context,
              .ctx_size_in = sizeof(context), .repeat = 1);
  EXPECT_EQ(bpf_prog_test_run_opts(program.get(), &options), 0) << "errno " << errno;
  out.resize(options.data_size_out);
  return options.retval;
}

uint32_t KernelBench::RunUncounted(const Bytes& frame, stem_side side) {
  Bytes out;
  return TestRun(frame, side, 0, out);
}

Outcome KernelBench::Run(const Bytes& frame, stem_side side, uint32_t queue) {
  Outcome outcome;
  const auto before = ReadCounters(plane().counters_fd());
  outcome.verdict = TestRun(frame, side, queue, outcome.out);
  const auto after = ReadCounters(plane().counters_fd());
  EXPECT_TRUE(before.ok() && after.ok());
  int moved = 0;
  for (size_t i = 0; i < after->size(); ++i) {
    const CounterValue& now = (*after)[i];
    if (now.packets == (*before)[i].packets) continue;
    ++moved;
    EXPECT_EQ(now.packets - (*before)[i].packets, 1u);
    EXPECT_EQ(now.bytes - (*before)[i].bytes, frame.size());
    outcome.reason = DescribeReason(now.reason).name;
    outcome.side = now.side;
    EXPECT_EQ(DescribeReason(now.reason).is_drop, outcome.verdict == XDP_DROP) << outcome.reason;
  }
  EXPECT_EQ(moved, 1) << "a packet must be counted exactly once";
  return outcome;
}

void KernelBench::Listen() {
  if (socket_ != nullptr) return;  // the map of sockets outlives a pipeline
  auto socket =
      PacketSocket::Open("outside0", 0, 64, plane().xsks_fd(), STEM_SIDE_OUTSIDE * STEM_MAX_QUEUES);
  ASSERT_TRUE(socket.ok()) << socket.status();
  socket_ = *std::move(socket);
}

uint64_t KernelBench::Observed(std::string_view reason, stem_side side) {
  const auto observed = ReadCounters(plane().observed_fd());
  EXPECT_TRUE(observed.ok()) << observed.status();
  for (const CounterValue& value : *observed) {
    if (value.side == side && DescribeReason(value.reason).name == reason) return value.packets;
  }
  ADD_FAILURE() << "no reason " << reason;
  return 0;
}

int KernelBench::CountRuns(int times, const Packet& packet, std::string_view reason,
                           stem_side side) {
  const Bytes frame = packet.Build();
  int count = 0;
  for (int i = 0; i < times; ++i) count += Run(frame, side).reason == reason ? 1 : 0;
  return count;
}

void KernelBench::OpenPinhole(const std::string& to, const std::string& peer, stem_peer_match match,
                              stem_side from) {
  const PinholeGrant grant{match, At(peer), STEM_MEDIA_RTP, 7};
  const absl::Status status = pinholes().Open({At(to), from}, grant, 1);
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace stem
