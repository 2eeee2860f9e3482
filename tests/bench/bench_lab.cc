// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/bench_lab.h"

#include <fcntl.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// GRO makes a veth without an XDP program take redirected frames (veth_gro_requested in the
// kernel); with one it changes nothing. rp_filter is off: sources are spoofed.
constexpr char kTopology[] = R"(set -e
ip -batch - <<'END'
link set lo up
link add outside0 address 02:00:00:00:01:01 numrxqueues 2 numtxqueues 2 type veth peer name outside1 address 02:00:00:00:01:02 numrxqueues 2 numtxqueues 2
link add inside0 address 02:00:00:00:02:01 numrxqueues 2 numtxqueues 2 type veth peer name inside1 address 02:00:00:00:02:02 numrxqueues 2 numtxqueues 2
END
for setting in ipv6/conf/all/disable_ipv6=1 ipv6/conf/default/disable_ipv6=1 ipv4/ip_forward=1 ipv4/conf/all/rp_filter=0; do
  echo "${setting#*=}" > "/proc/sys/net/${setting%=*}"
done
for interface in outside0 outside1 inside0 inside1; do
  echo 1 > "/proc/sys/net/ipv6/conf/$interface/disable_ipv6"
  echo 0 > "/proc/sys/net/ipv4/conf/$interface/rp_filter"
done
ethtool -K outside0 gro on
ip -batch - <<'END'
link set outside0 up
link set outside1 up
link set inside0 up
link set inside1 up
addr add 192.0.2.1/24 dev outside0
addr add 198.51.100.1/24 dev inside0
neigh add 192.0.2.10 lladdr 02:00:00:00:01:02 dev outside0
neigh add 198.51.100.20 lladdr 02:00:00:00:02:02 dev inside0
route add 10.1.0.0/16 via 192.0.2.10
route add 10.2.0.0/16 via 198.51.100.20
route add 10.64.0.0/10 via 192.0.2.10
END
)";

}  // namespace

absl::StatusOr<BenchLab> BenchLab::Make() {
  if (unshare(CLONE_NEWNET) != 0) return ErrnoStatus(errno, "making a network namespace");
  UniqueFd ns(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!ns.valid()) return ErrnoStatus(errno, "opening the network namespace");
  BenchLab lab(std::move(ns));
  RETURN_IF_ERROR(lab.Shell(kTopology));
  return lab;
}

absl::Status BenchLab::Enter() const {
  if (setns(namespace_.get(), CLONE_NEWNET) != 0) {
    return ErrnoStatus(errno, "entering the lab's network namespace");
  }
  return absl::OkStatus();
}

absl::Status BenchLab::Shell(const std::string& script) const {
  std::array<char, 32> path{"/tmp/stem-bench-XXXXXX"};
  const UniqueFd file(mkostemp(path.data(), O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "making a file for a script");
  std::ofstream(path.data()) << script;
  // NOLINTNEXTLINE(cert-env33-c): ip(8) and nft(8) are the interface
  FILE* shell = popen(fmt::format("sh {} 2>&1", path.data()).c_str(), "r");
  std::string output;
  if (shell != nullptr) {
    std::array<char, 512> line{};
    while (fgets(line.data(), line.size(), shell) != nullptr) output += line.data();
  }
  const bool failed = shell == nullptr || pclose(shell) != 0;
  unlink(path.data());
  if (failed) return absl::InternalError(fmt::format("a script of the lab failed: {}", output));
  return absl::OkStatus();
}

absl::Status BenchLab::Nft(const std::string& ruleset) const {
  return Shell(fmt::format("nft -f - <<'END'\n{}\nEND\n", ruleset));
}

absl::StatusOr<uint64_t> BenchLab::Received() const {
  std::ifstream devices("/proc/thread-self/net/dev");
  for (std::string line; std::getline(devices, line);) {
    const size_t name = line.find("outside0:");
    if (name == std::string::npos) continue;
    std::istringstream columns(line.substr(name + sizeof("outside0:") - 1));
    uint64_t bytes = 0, packets = 0;
    if (columns >> bytes >> packets) return packets;
  }
  return absl::InternalError("no counters of outside0 in /proc/thread-self/net/dev");
}

}  // namespace stem
