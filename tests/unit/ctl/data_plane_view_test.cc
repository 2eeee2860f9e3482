// SPDX-License-Identifier: Apache-2.0
// Modules, blocks, simulated packets: how they look, and the packets that are made for it.
#include "ctl/data_plane_view.h"

#include <gmock/gmock.h>

#include "ctl/counter_view.h"
#include "ctl/simulate/capture.h"
#include "ctl/simulate/frame.h"

namespace stem::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ModulesView, SaysWhatAnotherStartWouldChange) {
  v1::ListModulesResponse modules;
  v1::Module* module = modules.add_modules();
  module->set_name("relay");
  module->set_mode("on");
  module->set_configured("on");
  module->set_meaning("media routed in XDP");
  EXPECT_EQ("\n" + RenderModules(modules, Viewpoint{}), R"(
MODULE  MODE  CONFIGURED  WHAT IT DOES
relay   on    on          media routed in XDP
)");
  module->set_mode("off");
  EXPECT_THAT(RenderModules(modules, Viewpoint{}), HasSubstr("configuration file"));
}

TEST(BlocksView, EachOnALine) {
  v1::ListBlocksResponse blocks;
  EXPECT_EQ(RenderBlocks(blocks, Viewpoint{}), "nothing is blocked\n");
  v1::Block* block = blocks.add_blocks();
  block->set_source("203.0.113.9");
  block->add_scopes("all");
  block->set_left_ms(-1);
  block->set_origin("operator");
  block = blocks.add_blocks();
  block->set_source("203.0.113.9");
  block->set_destination("198.51.100.20");
  block->add_scopes("syn");
  block->add_scopes("media");
  block->set_left_ms(599'000);
  block->set_packets(1234);
  block->set_origin("security manager");
  block->set_instruction(7);
  block->set_comment("botnet");
  EXPECT_EQ("\n" + RenderBlocks(blocks, Viewpoint{}), R"(
SOURCE       DESTINATION    SCOPE          STILL FOR  DROPPED  ORIGIN               COMMENT
203.0.113.9  any            all        until removed        0  operator
203.0.113.9  198.51.100.20  syn,media         9m 59s    1,234  security manager #7  botnet
)");
}

TEST(SimulationView, OnePacketAndSeveral) {
  v1::SimulateResponse answers;
  v1::Simulation* one = answers.add_simulations();
  one->set_packet("udp 192.0.2.10:4000 > 198.51.100.20:30000, 214 bytes");
  one->set_verdict("relayed");
  one->set_reason("media_relayed");
  one->set_module("relay");
  one->set_out_interface("inside0");
  one->set_next_hop("02:00:00:00:02:02");
  v1::Observed* observed = one->add_observed();
  observed->set_reason("rtp_ssrc");
  observed->set_module("rtp_checks");
  const std::string alone = RenderSimulations(answers, Viewpoint{});
  EXPECT_THAT(alone,
              HasSubstr("\n  to inside0 by 02:00:00:00:02:02\n  rtp_checks observes: rtp_ssrc\n"));
  EXPECT_THAT(alone, Not(HasSubstr("PACKETS")));
  answers.add_simulations()->set_error("too large");
  const std::string both = RenderSimulations(answers, Viewpoint{});
  EXPECT_THAT(both, HasSubstr("      1  relayed        media_relayed  relay"));
  EXPECT_THAT(both, HasSubstr("      1  not simulated"));
}

TEST(CountersView, ObservedHasAColumnWhereThereIsAny) {
  v1::GetCountersResponse counters;
  v1::Counter* counter = counters.add_counters();
  counter->set_name("no_pinhole");
  counter->set_packets(1);
  EXPECT_THAT(RenderCounters(counters, ZeroRows::kHidden, Viewpoint{}), Not(HasSubstr("OBSERVED")));
  counter->set_packets(0);
  counter->set_observed(7);
  EXPECT_EQ("\n" + RenderCounters(counters, ZeroRows::kHidden, Viewpoint{}), R"(
REASON      SIDE   PACKETS  BYTES  OBSERVED  MEANING
no_pinhole  agent        0      0         7
)");
}

TEST(SimulatedFrame, IsWhatWasDescribed) {
  PacketDescription packet;
  packet.source = *Endpoint::Parse("192.0.2.10:4000");
  packet.destination = *Endpoint::Parse("198.51.100.20:30000");
  packet.payload = *RtpPayload("pt=8,ssrc=0x0a0b0c0d,seq=513,size=2");
  const auto frame = BuildFrame(packet);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(DescribeFrame(*frame), "udp 192.0.2.10:4000 > 198.51.100.20:30000, 56 bytes");
  EXPECT_EQ(frame->substr(42), std::string("\x80\x08\x02\x01\0\0\0\0\x0a\x0b\x0c\x0d\xff\xff", 14));
  // RFC 1071: over a right header the sum is all ones.
  uint32_t sum = 0;
  for (size_t i = 14; i < 34; i += 2) {
    sum += static_cast<uint32_t>(static_cast<uint8_t>((*frame)[i]) << 8 |
                                 static_cast<uint8_t>((*frame)[i + 1]));
  }
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);

  packet.transport = Transport::kTcp;
  packet.source = *Endpoint::Parse("[2001:db8::1]:1");
  EXPECT_FALSE(BuildFrame(packet).ok()) << "two families";
  packet.destination = *Endpoint::Parse("[2001:db8::2]:22");
  packet.tcp_flags = *TcpFlags("syn,ACK");
  EXPECT_EQ(packet.tcp_flags, 0x12);
  EXPECT_EQ(DescribeFrame(*BuildFrame(packet)), "tcp [2001:db8::1]:1 > [2001:db8::2]:22, 88 bytes");
  packet.transport = Transport::kIcmp;
  EXPECT_EQ(DescribeFrame(*BuildFrame(packet)), "icmpv6 2001:db8::1 > 2001:db8::2, 76 bytes");
  packet.payload.assign(4000, 'x');
  EXPECT_FALSE(BuildFrame(packet).ok());
  EXPECT_EQ(DescribeFrame(""), "type 0000, 0 bytes");
}

TEST(SimulatedFrame, WhatCannotBeMade) {
  for (const char* wrong : {"pt=128", "seq=65536", "seq", "seq=", "nonsense=1", "size=5000"}) {
    EXPECT_FALSE(RtpPayload(wrong).ok()) << wrong;
  }
  EXPECT_FALSE(TcpFlags("syn,nonsense").ok());
  const PacketDescription packet;
  EXPECT_TRUE(SipPayload("INVITE", packet)->starts_with("INVITE sip:"));
  EXPECT_TRUE(SipPayload("200", packet)->starts_with("SIP/2.0 200 "));
  for (const char* wrong : {"", "20", "IN VITE", "A\r\nB"}) {
    EXPECT_FALSE(SipPayload(wrong, packet).ok()) << wrong;
  }
}

TEST(Capture, WhatIsNoneIsNamed) {
  const absl::Status missing =
      ReadCapture("/nonexistent.pcap", [](CapturedPacket) { return absl::OkStatus(); });
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/nonexistent.pcap"));
}

}  // namespace
}  // namespace stem::ctl
