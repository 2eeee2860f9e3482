// SPDX-License-Identifier: Apache-2.0
// media.peer: latch. The caller outside is behind an address translation and names what it has.
#include "tests/unit/protocol_parser/call_fixture.h"

namespace stem::test {
namespace {

using testing::Contains;
using testing::Not;

class MediaLatch : public CallMonitorTest {
 protected:
  MediaLatch() {
    config.media_peer = MediaPeer::kLatch;
    Start();
  }
  const Phone behind_nat{"sip:alice@example.com", At("203.0.113.10:5060"), At("192.168.1.5:4000")};
  TestCall FromBehind() const { return {"nat@test", behind_nat, bob}; }
};

TEST_F(MediaLatch, APrivateAddressOutsideIsTakenForWhereTheSignallingComesFrom) {
  TestCall call = FromBehind();
  Establish(call);
  EXPECT_THAT(Open(), Contains("198.51.100.20:30000 from outside, first of 203.0.113.10, rtp"));
  EXPECT_THAT(Open(), Contains("192.168.1.5:4000 from inside, first of 198.51.100.20, rtp"));
}

TEST_F(MediaLatch, APublicAddressStaysWhatItIs) {
  const Phone gateway{"sip:a@example.com", At("203.0.113.10:5060"), At("203.0.113.99:4000")};
  TestCall call{"gateway@test", gateway, bob};
  Establish(call);
  EXPECT_THAT(Open(), Contains("198.51.100.20:30000 from outside, first of 203.0.113.99, rtp"));
}

TEST_F(MediaLatch, PrivateAddressesInsideAreReachedAsTheyAre) {
  const Phone pbx{"sip:bob@example.org", At("198.51.100.20:5060"), At("10.1.2.3:30000")};
  TestCall call{"pbx@test", alice, pbx};
  Establish(call);
  EXPECT_THAT(Open(), Contains("203.0.113.10:4000 from inside, first of 10.1.2.3, rtp"));
}

TEST_F(MediaLatch, WhoLatchedIsSentTo) {
  TestCall call = FromBehind();
  Establish(call);
  Pass(seconds(2));
  EXPECT_EQ(Open().size(), 4u) << "nobody has sent yet";
  const PinholeKey key{bob.media, STEM_SIDE_OUTSIDE};
  pinholes.open.at(key).use.latched = At("203.0.113.10:61234");
  Pass(seconds(1));
  EXPECT_THAT(Open(), Contains("203.0.113.10:61234 from inside, first of 198.51.100.20, rtp"));
  HangUp(call);
  EXPECT_THAT(Open(), testing::IsEmpty());
}

TEST_F(MediaLatch, AnImpossiblePlaceIsNotSentTo) {
  TestCall call = FromBehind();
  Establish(call);
  pinholes.open.at({bob.media, STEM_SIDE_OUTSIDE}).use.latched = At("203.0.113.10:5060");
  Pass(seconds(1));
  EXPECT_EQ(Open().size(), 4u) << "a signalling port";
}

}  // namespace
}  // namespace stem::test
