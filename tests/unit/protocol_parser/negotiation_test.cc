// SPDX-License-Identifier: Apache-2.0
// Offer and answer, apart from the messages that carry them.
#include "agent/protocol_parser/negotiation.h"

#include <gtest/gtest.h>

namespace stem::test {
namespace {

using Carrier = Negotiation::Carrier;
using Result = Negotiation::Result;
using Role = Negotiation::Role;

SessionDescription At(uint16_t port) {
  MediaStream stream;
  stream.kind = MediaTransport::kRtp;
  stream.rtp = {*IpAddress::Parse("192.0.2.1"), port};
  return {{stream}};
}

class NegotiationTest : public testing::Test {
 protected:
  Role Take(uint64_t transaction, Carrier carrier, Party sender, uint16_t port) {
    return negotiation.Take(transaction, carrier, sender, IpAddress(), At(port));
  }
  uint16_t Port(Party party) const {
    return negotiation.agreed() ? negotiation.agreed()->of(party).streams[0].rtp.port : 0;
  }
  Negotiation negotiation;
};

TEST_F(NegotiationTest, AnAnswerMakesASession) {
  EXPECT_EQ(Take(1, Carrier::kOffer, Party::kCaller, 10), Role::kOffer);
  EXPECT_FALSE(negotiation.agreed());
  EXPECT_EQ(Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 20), Role::kAnswer);
  EXPECT_EQ(Port(Party::kCaller), 10);
  EXPECT_EQ(Port(Party::kCallee), 20);
  EXPECT_FALSE(negotiation.pending());
}

TEST_F(NegotiationTest, AnOfferDuringAnOfferIsGlare) {
  Take(1, Carrier::kOffer, Party::kCaller, 10);
  EXPECT_EQ(Take(2, Carrier::kOffer, Party::kCallee, 20), Role::kIgnored);
  EXPECT_EQ(negotiation.pending()->by, Party::kCaller);
}

TEST_F(NegotiationTest, AnAnswerToNothingIsIgnored) {
  EXPECT_EQ(Take(1, Carrier::kAnswer, Party::kCaller, 10), Role::kIgnored);
  EXPECT_FALSE(negotiation.agreed());
  EXPECT_FALSE(negotiation.pending());
}

TEST_F(NegotiationTest, AnAnswerGivenAgainReplacesItself) {
  Take(1, Carrier::kOffer, Party::kCaller, 10);
  Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 20);
  EXPECT_EQ(Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 22), Role::kRevision);
  EXPECT_EQ(Port(Party::kCallee), 22);
}

TEST_F(NegotiationTest, ACopyOfAnOldAnswerAfterAnUpdateIsIgnored) {
  Take(1, Carrier::kOffer, Party::kCaller, 10);
  Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 20);
  Take(2, Carrier::kOffer, Party::kCallee, 30);
  Take(2, Carrier::kAnswer, Party::kCaller, 40);
  EXPECT_EQ(Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 20), Role::kIgnored);
  EXPECT_EQ(Port(Party::kCallee), 30);
  EXPECT_EQ(Port(Party::kCaller), 40);
}

TEST_F(NegotiationTest, ASecondOfferInALaterResponseOfTheSameInviteReplacesTheFirst) {
  EXPECT_EQ(Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 20), Role::kOffer);
  EXPECT_EQ(Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 22), Role::kOffer);
  negotiation.Finish(1, Party::kCaller, Result::kSuccess);
  ASSERT_TRUE(negotiation.pending()) << "the ACK will answer it";
  EXPECT_EQ(Take(0, Carrier::kAnswer, Party::kCaller, 10), Role::kAnswer);
  EXPECT_EQ(Port(Party::kCallee), 22);
}

TEST_F(NegotiationTest, AnUnansweredOfferIsGoneWithItsTransaction) {
  Take(1, Carrier::kOffer, Party::kCaller, 10);
  negotiation.Finish(2, Party::kCaller, Result::kFailure);
  EXPECT_TRUE(negotiation.pending()) << "another transaction's end";
  negotiation.Finish(1, Party::kCaller, Result::kSuccess);
  EXPECT_FALSE(negotiation.pending());
}

TEST_F(NegotiationTest, AFailureUndoesWhatItsTransactionAgreed) {
  Take(1, Carrier::kOffer, Party::kCaller, 10);
  Take(1, Carrier::kOfferOrAnswer, Party::kCallee, 20);
  negotiation.Finish(1, Party::kCaller, Result::kSuccess);
  Take(2, Carrier::kOffer, Party::kCaller, 11);
  Take(2, Carrier::kOfferOrAnswer, Party::kCallee, 21);
  EXPECT_EQ(Port(Party::kCaller), 11);
  negotiation.Finish(2, Party::kCaller, Result::kFailure);
  EXPECT_EQ(Port(Party::kCaller), 10);
  EXPECT_EQ(Port(Party::kCallee), 20);
}

TEST_F(NegotiationTest, MediaIsExpectedUnlessAllStreamsAreHeld) {
  AgreedSession session{At(10), At(20)};
  EXPECT_TRUE(session.MediaExpected());
  session.callee.streams[0].direction = MediaDirection::kRecvOnly;
  EXPECT_FALSE(session.MediaExpected());
  session.caller.streams.push_back(session.caller.streams[0]);
  session.callee.streams.push_back(At(30).streams[0]);
  EXPECT_TRUE(session.MediaExpected());
  session.callee.streams[1].rtp.port = 0;
  EXPECT_FALSE(session.MediaExpected());
}

}  // namespace
}  // namespace stem::test
