// SPDX-License-Identifier: Apache-2.0
// When media counts as idle.
#include "agent/flow_monitor/idle_media.h"

#include <gtest/gtest.h>

#include "tests/unit/protocol_parser/fakes.h"

namespace stem::test {
namespace {

class IdleMediaTest : public testing::Test {
 protected:
  IdleMedia::Judgement Judge(uint64_t since_ns, uint64_t now_ns) {
    const auto judgement = idle.Judge(table, {one, two}, since_ns, now_ns);
    EXPECT_TRUE(judgement.ok());
    return judgement.ok() ? *judgement : IdleMedia::Judgement();
  }
  Log log;
  FakePinholes table{log};
  const IdleMedia idle{std::chrono::milliseconds(1000)};
  const PinholeKey one{*Endpoint::Parse("192.0.2.1:4000"), STEM_SIDE_INSIDE};
  const PinholeKey two{*Endpoint::Parse("192.0.2.1:4001"), STEM_SIDE_INSIDE};
};

constexpr uint64_t kSecond = 1'000'000'000;

TEST_F(IdleMediaTest, CountsFromTheNewestPacketOfAnyPinhole) {
  table.open[one] = {one, {}, {.opened_ns = kSecond, .last_seen_ns = 3 * kSecond}};
  table.open[two] = {two, {}, {.opened_ns = kSecond, .last_seen_ns = 5 * kSecond}};
  EXPECT_FALSE(Judge(0, 6 * kSecond - 1).idle);
  EXPECT_EQ(Judge(0, 6 * kSecond - 1).look_again_ns, 6 * kSecond);
  EXPECT_TRUE(Judge(0, 6 * kSecond).idle);
}

TEST_F(IdleMediaTest, BeforeTheFirstPacketCountsFromWhenMediaWasDue) {
  table.open[one] = {one, {}, {.opened_ns = kSecond}};
  EXPECT_EQ(Judge(4 * kSecond, 4 * kSecond).look_again_ns, 5 * kSecond);
  EXPECT_TRUE(Judge(4 * kSecond, 5 * kSecond).idle);
}

TEST_F(IdleMediaTest, WithoutPinholesNothingCanBeSaid) {
  const auto judgement = idle.Judge(table, {}, 0, 100 * kSecond);
  ASSERT_TRUE(judgement.ok());
  EXPECT_FALSE(judgement->idle);
  EXPECT_EQ(judgement->look_again_ns, 101 * kSecond);
}

TEST_F(IdleMediaTest, ZeroSwitchesItOff) {
  EXPECT_FALSE(IdleMedia(std::chrono::milliseconds(0)).enabled());
  EXPECT_TRUE(idle.enabled());
}

}  // namespace
}  // namespace stem::test
