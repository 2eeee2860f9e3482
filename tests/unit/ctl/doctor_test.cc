// SPDX-License-Identifier: Apache-2.0
#include "ctl/doctor/checks.h"

#include <gmock/gmock.h>

#include <functional>

#include "ctl/data_plane_view.h"

namespace stem::ctl {
namespace {

using testing::HasSubstr;

InterfaceFacts GoodLink(const std::string& name) {
  InterfaceFacts link;
  link.name = name;
  link.exists = link.up = link.combined = true;
  link.mtu = 1500;
  link.driver = "ixgbe";
  link.queues = link.most_queues = 4;
  return link;
}

HostFacts GoodHost() {
  HostFacts facts;
  facts.interfaces = {GoodLink("eth0"), GoodLink("eth1")};
  facts.cpus = 4;
  facts.btf = facts.bpffs = true;
  facts.settings = {{"net.ipv4.ip_forward", "1"}, {"net.ipv6.conf.all.forwarding", "1"}};
  return facts;
}

// What is not as it should be, as "MARK CHECK -> COMMAND".
std::vector<std::string> Complaints(const std::function<void(HostFacts&)>& spoil) {
  HostFacts facts = GoodHost();
  spoil(facts);
  std::vector<std::string> out;
  const v1::Findings findings = Examine(facts);
  for (const v1::Finding& one : findings.findings()) {
    EXPECT_FALSE(one.found().empty()) << one.check();
    if (one.mark() == "ok") {
      EXPECT_EQ(one.mend(), "") << one.check();
      continue;
    }
    out.push_back(one.mark() + " " + one.check() + " -> " + one.mend());
  }
  return out;
}
using List = std::vector<std::string>;

TEST(Doctor, AGoodHostHasNothingToMend) {
  EXPECT_EQ(Complaints([](HostFacts&) {}), List{});
  EXPECT_GE(Examine(GoodHost()).findings_size(), 20);
}

TEST(Doctor, TheHost) {
  EXPECT_EQ(Complaints([](HostFacts& f) { f.bpffs = false; }),
            List{"wrong bpffs -> mount -t bpf bpf /sys/fs/bpf"});
  EXPECT_EQ(Complaints([](HostFacts& f) { f.btf = false; }),
            List{"warning BTF -> apt-get install linux-image-amd64"});
  EXPECT_EQ(Complaints([](HostFacts& f) { f.settings["net.ipv4.ip_forward"] = "0"; }),
            List{"wrong IPv4 forwarding -> sysctl -w net.ipv4.ip_forward=1"});
  EXPECT_EQ(Complaints([](HostFacts& f) { f.settings["net.ipv6.conf.all.forwarding"] = "0"; }),
            List{"warning IPv6 forwarding -> sysctl -w net.ipv6.conf.all.forwarding=1"});
  EXPECT_EQ(Complaints([](HostFacts& f) { f.settings.erase("net.ipv6.conf.all.forwarding"); }),
            List{});
}

TEST(Doctor, ALink) {
  const auto link = [](const std::function<void(InterfaceFacts&)>& spoil) {
    return Complaints([&](HostFacts& f) { spoil(f.interfaces[0]); });
  };
  EXPECT_THAT(link([](InterfaceFacts& l) { l.exists = false; }),
              testing::ElementsAre(HasSubstr("wrong link eth0 -> ip -br link")));
  EXPECT_EQ(link([](InterfaceFacts& l) { l.up = false; }),
            List{"wrong link eth0 -> ip link set eth0 up"});
  EXPECT_THAT(
      link([](InterfaceFacts& l) { l.driver = "e1000"; }),
      testing::ElementsAre(HasSubstr("warning driver eth0 -> set `interfaces: {mode: gen")));
  EXPECT_EQ(link([](InterfaceFacts& l) {
              l.driver = "new";
              l.agent_mode = "native";
            }),
            List{})
      << "the agent knows better";
  EXPECT_THAT(link([](InterfaceFacts& l) { l.agent_mode = "generic"; }),
              testing::ElementsAre(HasSubstr("warning driver eth0")));
  EXPECT_EQ(link([](InterfaceFacts& l) { l.features["rx-vlan-hw-parse"] = true; }),
            List{"warning VLAN offload eth0 -> ethtool -K eth0 rxvlan off"});
  EXPECT_EQ(link([](InterfaceFacts& l) { l.features["rx-lro"] = true; }),
            List{"wrong receive offload eth0 -> ethtool -K eth0 lro off"});
  EXPECT_EQ(link([](InterfaceFacts& l) { l.features["rx-gro-hw"] = true; }),
            List{"wrong receive offload eth0 -> ethtool -K eth0 rx-gro-hw off"});
  EXPECT_EQ(link([](InterfaceFacts& l) {
              l.driver = "virtio_net";
              l.features["rx-checksum"] = true;
            }),
            List{"warning checksum offload eth0 -> ethtool -K eth0 rx off"});
  EXPECT_THAT(link([](InterfaceFacts& l) { l.driver = "veth"; }),
              testing::ElementsAre(HasSubstr("tx off gro on")));
  EXPECT_EQ(link([](InterfaceFacts& l) { l.reverse_path = 1; }),
            List{"warning reverse path eth0 -> sysctl -w net.ipv4.conf.eth0.rp_filter=2"});
  EXPECT_EQ(link([](InterfaceFacts& l) { l.reverse_path = 2; }), List{});
}

TEST(Doctor, QueuesAndMtu) {
  const auto queues = [](uint32_t now, uint32_t most, unsigned cpus) {
    return Complaints([=](HostFacts& f) {
      f.cpus = cpus;
      f.interfaces[0].queues = now;
      f.interfaces[0].most_queues = most;
    });
  };
  EXPECT_EQ(queues(2, 8, 4), List{"warning queues eth0 -> ethtool -L eth0 combined 4"});
  EXPECT_EQ(queues(1, 1, 4), List{}) << "there are no more";
  EXPECT_EQ(queues(8, 8, 4), List{});
  EXPECT_EQ(Complaints([](HostFacts& f) {
              f.interfaces[0].queues = f.interfaces[0].most_queues = 128;
              f.interfaces[0].combined = false;
            }),
            List{"wrong queues eth0 -> ethtool -L eth0 rx 64"});
  EXPECT_EQ(Complaints([](HostFacts& f) { f.interfaces[0].mtu = f.interfaces[1].mtu = 9000; }),
            (List{"wrong MTU eth0 -> ip link set eth0 mtu 1500",
                  "wrong MTU eth1 -> ip link set eth1 mtu 1500"}));
  EXPECT_EQ(Complaints([](HostFacts& f) { f.interfaces[1].mtu = 1400; }),
            List{"warning same MTU -> ip link set eth0 mtu 1400"});
}

TEST(Doctor, OnTheScreen) {
  v1::Findings findings;
  v1::Finding* good = findings.add_findings();
  good->set_mark("ok");
  good->set_check("bpffs");
  good->set_found("fine");
  v1::Finding* wrong = findings.add_findings();
  wrong->set_mark("wrong");
  wrong->set_check("forwarding");
  wrong->set_found("off");
  wrong->set_mend("sysctl -w x=1");
  EXPECT_EQ("\n" + RenderFindings(findings, Viewpoint{}), R"(
✓ bpffs       fine
✗ forwarding  off
              sysctl -w x=1
)");
}

}  // namespace
}  // namespace stem::ctl
