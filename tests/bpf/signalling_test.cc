// SPDX-License-Identifier: Apache-2.0
// Signalling: to the agent's socket, or by `agent_down` when nobody listens.
#include <linux/bpf.h>

#include "agent/dataplane/packet_socket.h"
#include "tests/bpf/kernel_bench.h"

namespace stem {
namespace {

class SignallingTest : public KernelBench {
 protected:
  static Packet Sip(uint16_t from, uint16_t to) {
    return Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Udp(from, to) / "OPTIONS";
  }
};

TEST_F(SignallingTest, WithoutAnAgentItIsDropped) {
  EXPECT_EQ(Run(Sip(4000, 5060)).reason, "agent_down");
  EXPECT_EQ(Run(Sip(4000, 5060)).verdict, XDP_DROP);
}

TEST_F(SignallingTest, WithoutAnAgentItPassesWhenAskedFor) {
  DataPlaneConfig config = DefaultConfig();
  config.agent_down_pass = true;
  Load(config);
  EXPECT_EQ(Run(Sip(4000, 5060)).reason, "agent_down_pass");
  EXPECT_EQ(Run(Sip(4000, 5060)).verdict, XDP_PASS);
}

TEST_F(SignallingTest, GoesToTheSocketOfItsQueueAndSide) {
  const auto socket = PacketSocket::Open("outside0", 1, 64, plane().xsks_fd(),
                                         STEM_SIDE_OUTSIDE * STEM_MAX_QUEUES + 1);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_EQ(Run(Sip(4000, 5060).Build(), STEM_SIDE_OUTSIDE, 1).reason, "sip_to_agent");
  EXPECT_EQ(Run(Sip(4000, 5060).Build(), STEM_SIDE_OUTSIDE, 1).verdict, XDP_REDIRECT);
  EXPECT_EQ(Run(Sip(4000, 5060).Build(), STEM_SIDE_OUTSIDE, 0).reason, "agent_down");
  EXPECT_EQ(Run(Sip(4000, 5060).Build(), STEM_SIDE_INSIDE, 1).reason, "agent_down");
}

TEST_F(SignallingTest, RequestsByDestinationAndResponsesBySourcePort) {
  EXPECT_EQ(Run(Sip(4000, 5060)).reason, "agent_down");
  EXPECT_EQ(Run(Sip(5060, 4000)).reason, "agent_down");
  EXPECT_EQ(Run(Sip(4000, 5061)).reason, "no_pinhole");
  EXPECT_EQ(Run(Ethernet() / Ipv4("192.0.2.10", "198.51.100.20") / Tcp(4000, 5060)).reason,
            "policy_denied")
      << "SIP over TCP is not taken to the agent";
}

TEST_F(SignallingTest, EveryConfiguredPort) {
  DataPlaneConfig config = DefaultConfig();
  config.sip_ports = {5060, 5062, 5064, 5066, 5068, 5070, 5072, 15060};
  Load(config);
  for (const uint16_t port : config.sip_ports) {
    EXPECT_EQ(Run(Sip(4000, port)).reason, "agent_down") << port;
  }
  EXPECT_EQ(Run(Sip(4000, 5061)).reason, "no_pinhole");
  EXPECT_EQ(Run(Sip(4000, 0)).reason, "no_pinhole") << "port 0 is no signalling port";
}

TEST_F(SignallingTest, APinholeIsLookedAtFirst) {
  OpenPinhole("198.51.100.20:30000", "192.0.2.10:5060");
  EXPECT_EQ(Run(Sip(5060, 30000)).reason, "media_relayed");
}

}  // namespace
}  // namespace stem
