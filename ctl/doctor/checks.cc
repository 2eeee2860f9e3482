// SPDX-License-Identifier: Apache-2.0
#include "ctl/doctor/checks.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "fmt/format.h"

namespace stem::ctl {
namespace {

constexpr uint32_t kServedQueues = 64;  // STEM_MAX_QUEUES
// A page less headroom, tail room, Ethernet header and one VLAN tag: the largest MTU with which
// drivers take a program that knows no fragments.
constexpr uint32_t kLargestMtu = 4096 - 256 - 320 - 18;

constexpr char kOk[] = "ok";
constexpr char kWarning[] = "warning";
constexpr char kWrong[] = "wrong";

v1::Finding Make(const char* mark, std::string check, std::string found, std::string mend = {}) {
  v1::Finding finding;
  finding.set_mark(mark);
  finding.set_check(std::move(check));
  finding.set_found(std::move(found));
  finding.set_mend(std::move(mend));
  return finding;
}

std::string Setting(const HostFacts& facts, const std::string& name) {
  const auto found = facts.settings.find(name);
  return found == facts.settings.end() ? "" : found->second;
}

v1::Finding CheckBpffs(const HostFacts& facts) {
  if (facts.bpffs) return Make(kOk, "bpffs", "/sys/fs/bpf is a BPF file system");
  return Make(kWrong, "bpffs", "/sys/fs/bpf is no BPF file system: nothing can be pinned",
              "mount -t bpf bpf /sys/fs/bpf");
}

v1::Finding CheckBtf(const HostFacts& facts) {
  if (facts.btf) return Make(kOk, "BTF", "the kernel describes its types");
  return Make(kWarning, "BTF",
              "the kernel has no BTF (CONFIG_DEBUG_INFO_BTF): maps cannot be read "
              "by name, and libxdp's dispatcher is out",
              "apt-get install linux-image-amd64");
}

v1::Finding CheckForwarding4(const HostFacts& facts) {
  if (Setting(facts, "net.ipv4.ip_forward") == "1") {
    return Make(kOk, "IPv4 forwarding", "this host routes IPv4");
  }
  return Make(kWrong, "IPv4 forwarding", "this host does not route: nothing that passes goes on",
              "sysctl -w net.ipv4.ip_forward=1");
}

v1::Finding CheckForwarding6(const HostFacts& facts) {
  const std::string value = Setting(facts, "net.ipv6.conf.all.forwarding");
  if (value == "1") return Make(kOk, "IPv6 forwarding", "this host routes IPv6");
  if (value.empty()) return Make(kOk, "IPv6 forwarding", "there is no IPv6 here");
  return Make(kWarning, "IPv6 forwarding", "this host does not route IPv6",
              "sysctl -w net.ipv6.conf.all.forwarding=1");
}

v1::Finding CheckLink(const InterfaceFacts& link) {
  const std::string check = "link " + link.name;
  if (!link.exists) {
    return Make(kWrong, check, "there is no such interface in this network namespace",
                "ip -br link  # and `interfaces` in the agent's configuration");
  }
  if (!link.up) return Make(kWrong, check, "is down", fmt::format("ip link set {} up", link.name));
  return Make(kOk, check, "is up");
}

v1::Finding CheckDriver(const InterfaceFacts& link) {
  static constexpr std::string_view kNative[] = {
      "veth",   "virtio_net", "ixgbe",   "ixgbevf",        "i40e",          "ice",
      "igb",    "igc",        "mlx4_en", "mlx5_core",      "bnxt_en",       "ena",
      "gve",    "hv_netvsc",  "nfp",     "qede",           "sfc",           "stmmac",
      "tun",    "vmxnet3",    "mana",    "thunder-nicvf",  "dpaa2-eth",     "fsl_dpa",
      "mvneta", "mvpp2",      "tsnep",   "am65-cpsw-nuss", "lan966x-switch"};
  const std::string check = "driver " + link.name;
  if (link.agent_mode == "generic") {
    return Make(kWarning, check, "the agent is attached in generic mode, which is slow",
                "set `interfaces: {mode: native}` in the agent's configuration and restart it");
  }
  if (link.agent_mode == "native" ||
      std::find(std::begin(kNative), std::end(kNative), link.driver) != std::end(kNative)) {
    return Make(kOk, check, fmt::format("{}: native XDP", link.driver));
  }
  return Make(kWarning, check,
              fmt::format("'{}' is not known for native XDP: if the agent cannot attach, only the "
                          "slow generic mode is left",
                          link.driver),
              "set `interfaces: {mode: generic}` in the agent's configuration");
}

v1::Finding CheckQueues(const InterfaceFacts& link, unsigned cpus) {
  const std::string check = "queues " + link.name;
  const char* kind = link.combined ? "combined" : "rx";
  const auto set = [&](uint32_t queues) {
    return fmt::format("ethtool -L {} {} {}", link.name, kind, queues);
  };
  if (link.queues > kServedQueues) {
    return Make(kWrong, check,
                fmt::format("{} RX queues: the data plane serves {}", link.queues, kServedQueues),
                set(kServedQueues));
  }
  const uint32_t wanted = std::min({cpus, link.most_queues, kServedQueues});
  const std::string found =
      fmt::format("{} RX queues for {} CPUs", std::max(link.queues, 1u), cpus);
  if (link.queues < wanted) {
    return Make(kWarning, check, found + ": some CPUs get no packets", set(wanted));
  }
  return Make(kOk, check, found);
}

v1::Finding CheckMtu(const InterfaceFacts& link) {
  const std::string check = "MTU " + link.name;
  if (link.mtu <= kLargestMtu) return Make(kOk, check, fmt::format("{}", link.mtu));
  return Make(
      kWrong, check,
      fmt::format("{}: native XDP takes frames of one page, {} at most", link.mtu, kLargestMtu),
      fmt::format("ip link set {} mtu 1500", link.name));
}

v1::Finding CheckVlan(const InterfaceFacts& link) {
  const std::string check = "VLAN offload " + link.name;
  if (!link.Has("rx-vlan-hw-parse")) return Make(kOk, check, "tags stay in the packets");
  return Make(kWarning, check,
              "the card takes VLAN tags off before XDP sees the packet: tagged packets are judged "
              "as if they had none",
              fmt::format("ethtool -K {} rxvlan off", link.name));
}

v1::Finding CheckReceiveOffload(const InterfaceFacts& link) {
  const std::string check = "receive offload " + link.name;
  for (const auto& [feature, name] :
       {std::pair("rx-lro", "lro"), std::pair("rx-gro-hw", "rx-gro-hw")}) {
    if (link.Has(feature)) {
      return Make(kWrong, check,
                  fmt::format("{} is on: drivers refuse XDP with it, or hand over packets that "
                              "were never sent so",
                              name),
                  fmt::format("ethtool -K {} {} off", link.name, name));
    }
  }
  return Make(kOk, check, "packets arrive as they were sent");
}

v1::Finding CheckChecksums(const InterfaceFacts& link) {
  const std::string check = "checksum offload " + link.name;
  if (link.driver == "virtio_net" && link.Has("rx-checksum")) {
    return Make(kWarning, check,
                "packets of other guests may come with unfinished checksums, and relayed media "
                "keeps them",
                fmt::format("ethtool -K {} rx off", link.name));
  }
  if (link.driver == "veth") {
    return Make(kWarning, check,
                "a veth's other end cannot be seen from here: it must finish its checksums, and "
                "have GRO or an XDP program to take relayed media",
                "at the other end: ethtool -K IF tx off gro on");
  }
  return Make(kOk, check, "the wire carries finished checksums");
}

// Of the long way through the kernel's stack: what the relay and the agent's TUN device carry is
// not asked about.
v1::Finding CheckReversePath(const InterfaceFacts& link) {
  const std::string check = "reverse path " + link.name;
  if (link.reverse_path != 1) return Make(kOk, check, "not strict");
  return Make(kWarning, check,
              "strict: the kernel drops, without a word, what came another way than its answer "
              "would take",
              fmt::format("sysctl -w net.ipv4.conf.{}.rp_filter=2", link.name));
}

v1::Finding CheckSameMtu(const HostFacts& facts) {
  const auto [least, most] = std::minmax_element(
      facts.interfaces.begin(), facts.interfaces.end(),
      [](const InterfaceFacts& a, const InterfaceFacts& b) { return a.mtu < b.mtu; });
  if (least->mtu == most->mtu) return Make(kOk, "same MTU", "on both sides");
  return Make(kWarning, "same MTU",
              fmt::format("{} has {}, {} has {}: larger packets take the kernel's slow way or are "
                          "refused there",
                          least->name, least->mtu, most->name, most->mtu),
              fmt::format("ip link set {} mtu {}", most->name, least->mtu));
}

}  // namespace

v1::Findings Examine(const HostFacts& facts) {
  v1::Findings all;
  for (const auto& check : {CheckBpffs, CheckBtf, CheckForwarding4, CheckForwarding6}) {
    *all.add_findings() = check(facts);
  }
  bool every_link = !facts.interfaces.empty();
  for (const InterfaceFacts& link : facts.interfaces) {
    *all.add_findings() = CheckLink(link);
    every_link = every_link && link.exists;
    if (!link.exists) continue;
    *all.add_findings() = CheckDriver(link);
    *all.add_findings() = CheckQueues(link, facts.cpus);
    *all.add_findings() = CheckMtu(link);
    *all.add_findings() = CheckVlan(link);
    *all.add_findings() = CheckReceiveOffload(link);
    *all.add_findings() = CheckChecksums(link);
    *all.add_findings() = CheckReversePath(link);
  }
  if (every_link) *all.add_findings() = CheckSameMtu(facts);
  return all;
}

}  // namespace stem::ctl
