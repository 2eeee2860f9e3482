// SPDX-License-Identifier: Apache-2.0
#include "agent/dataplane/handover.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>

#include <cstring>
#include <vector>

#include "bpf/handover.h"

namespace stem {
namespace {

std::vector<uint8_t> Frame(uint32_t mark, uint16_t reason) {
  std::vector<uint8_t> frame(60, 0);
  const stem_handover handover{mark, reason};
  std::memcpy(&frame[ETH_ALEN], &handover, sizeof(handover));
  return frame;
}

TEST(HandoverTest, TheReasonStandsInTheFrame) {
  EXPECT_EQ(HandedOverFor(Frame(STEM_HANDOVER_MARK, STEM_REASON_sip_rate_to_agent)),
            STEM_REASON_sip_rate_to_agent);
}

TEST(HandoverTest, WithoutOneItIsOrdinarySignalling) {
  EXPECT_EQ(HandedOverFor(Frame(0x12345678, STEM_REASON_sip_rate_to_agent)),
            STEM_REASON_sip_to_agent);
  EXPECT_EQ(HandedOverFor(Frame(STEM_HANDOVER_MARK, STEM_REASON_MAX)), STEM_REASON_sip_to_agent)
      << "of a pipeline that knows more reasons";
  const std::vector<uint8_t> whole = Frame(STEM_HANDOVER_MARK, STEM_REASON_sip_rate_to_agent);
  EXPECT_EQ(HandedOverFor(std::span(whole).first(2 * ETH_ALEN - 1)), STEM_REASON_sip_to_agent);
}

}  // namespace
}  // namespace stem
