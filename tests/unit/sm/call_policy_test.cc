// SPDX-License-Identifier: Apache-2.0
// What the security manager decides, and what it says about it.
#include "sm/call_policy.h"

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sm/store/sqlite_store.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/sm/records.h"

namespace stem {
namespace {

class CallPolicyTest : public testing::Test {
 protected:
  CallPolicyTest() {
    v1::User alice = TestUser("alice");
    alice.add_locations("sip:alice@198.51.100.20:5062");
    v1::User busy = TestUser("busy", v1::INCOMING_CALLS_REFUSE);
    busy.set_refuse_status(486);
    busy.set_refuse_reason("Busy Here");
    for (const v1::User& user : {alice, busy, TestUser("closed", v1::INCOMING_CALLS_REFUSE),
                                 TestUser("ghost", v1::INCOMING_CALLS_DROP),
                                 ForwardingUser("away", "sip:alice@example.org")}) {
      EXPECT_TRUE(store_->AddUser(Record(user)).ok());
    }
  }

  v1::DecideResponse Decide(const std::string& request_uri,
                            const std::string& caller = "sip:carol@caller.example",
                            const std::string& source = "192.0.2.10") {
    v1::DecideRequest request;
    request.set_request_uri(request_uri);
    request.set_caller(caller);
    request.set_to("sip:alice@example.org");
    request.mutable_source()->set_address(source);
    const auto response = CallPolicy(config_, store_.get()).Decide(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(v1::DecideResponse());
  }

  int64_t Hits(int64_t id) {
    const auto entries = store_->ListSpam("");
    for (const v1::SpamEntry& entry : *entries) {
      if (entry.id() == id) return entry.hits();
    }
    return -1;
  }

  ScratchFolder scratch_;
  CallPolicyConfig config_;
  std::unique_ptr<SqliteStore> store_ = *SqliteStore::Open(scratch_ / "sm.db", {});
};

TEST_F(CallPolicyTest, ProfileAccepts) {
  const v1::DecideResponse response = Decide("sip:alice@example.org");
  EXPECT_EQ(response.verdict(), v1::VERDICT_ACCEPT);
  EXPECT_EQ(response.callee_location(), "sip:alice@198.51.100.20:5062");
  EXPECT_EQ(response.why(), "user alice: accepts calls");
}

TEST_F(CallPolicyTest, ProfileRefusesAsTheUserSaid) {
  v1::DecideResponse response = Decide("sip:busy@example.org");
  EXPECT_EQ(response.verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(response.status(), 486u);
  EXPECT_EQ(response.reason(), "Busy Here");
  EXPECT_EQ(response.why(), "user busy: refuses calls");
  response = Decide("sip:closed@example.org");
  EXPECT_EQ(response.status(), 403u);
  EXPECT_EQ(response.reason(), "Forbidden");
}

TEST_F(CallPolicyTest, ProfileForwardsAndDrops) {
  const v1::DecideResponse forward = Decide("sip:away@example.org");
  EXPECT_EQ(forward.verdict(), v1::VERDICT_REDIRECT);
  EXPECT_EQ(forward.contact(), "sip:alice@example.org");
  EXPECT_EQ(forward.why(), "user away: forwards calls to sip:alice@example.org");
  const v1::DecideResponse drop = Decide("sip:ghost@example.org");
  EXPECT_EQ(drop.verdict(), v1::VERDICT_DROP);
  EXPECT_EQ(drop.why(), "user ghost: drops calls");
}

TEST_F(CallPolicyTest, CalleeIsFoundHoweverItsUriIsWritten) {
  for (const std::string uri : {"SIP:alice@EXAMPLE.org", "sip:alice@example.org:5060;transport=tcp",
                                "sip:%61lice@example.org", "sips:alice@example.org",
                                "sip:alice:pw@example.org?Subject=x"}) {
    EXPECT_EQ(Decide(uri).why(), "user alice: accepts calls") << uri;
  }
  EXPECT_EQ(Decide("sip:alice@198.51.100.20:5062").why(), "user alice: accepts calls")
      << "a terminal called directly has its user's profile";
  EXPECT_EQ(Decide("sip:Alice@example.org").status(), 404u) << "user parts are case-sensitive";
}

TEST_F(CallPolicyTest, ToDecidesNothing) {
  // To names alice, who accepts; the request is for nobody.
  const v1::DecideResponse response = Decide("sip:nobody@example.org");
  EXPECT_EQ(response.verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(response.status(), 404u);
  EXPECT_EQ(response.reason(), "Not Found");
  EXPECT_EQ(response.why(), "no user has sip:nobody@example.org");
}

TEST_F(CallPolicyTest, UnknownCalleeMayBeAccepted) {
  config_.unknown_callee = UnknownCallee::kAccept;
  const v1::DecideResponse response = Decide("sip:nobody@example.org");
  EXPECT_EQ(response.verdict(), v1::VERDICT_ACCEPT);
  EXPECT_EQ(response.why(), "no user has sip:nobody@example.org; unknown callees are accepted");
  EXPECT_EQ(Decide("sip:closed@example.org").verdict(), v1::VERDICT_REFUSE);
}

TEST_F(CallPolicyTest, UnreadableRequestUriIsRefusedEvenThen) {
  config_.unknown_callee = UnknownCallee::kAccept;
  const v1::DecideResponse response = Decide("http://x\n");
  EXPECT_EQ(response.verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(response.status(), 400u);
  EXPECT_EQ(response.why(), "Request-URI 'http://x\\x0A' is neither a SIP nor a tel URI");
}

TEST_F(CallPolicyTest, SpamForEverybodyByUriDomainAndPrefix) {
  const int64_t uri = store_->AddSpam(Spam(v1::SPAM_KIND_URI, "sip:bot@one.example"))->id();
  const int64_t domain = store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "spam.example"))->id();
  const int64_t prefix = store_->AddSpam(Spam(v1::SPAM_KIND_PREFIX, "203.0.113.0/24"))->id();
  v1::DecideResponse response = Decide("sip:alice@example.org", "SIPS:bot@ONE.example;tag=1");
  EXPECT_EQ(response.verdict(), v1::VERDICT_REFUSE);
  EXPECT_EQ(response.status(), 403u);
  EXPECT_EQ(response.reason(), "Forbidden");
  EXPECT_EQ(response.why(), fmt::format("spam list: caller sip:bot@one.example (entry {})", uri));
  EXPECT_EQ(Decide("sip:alice@example.org", "sip:x@pbx.spam.example").why(),
            fmt::format("spam list: domain spam.example (entry {})", domain));
  EXPECT_EQ(Decide("sip:nobody@example.org", "sip:x@ok.example", "203.0.113.77").why(),
            fmt::format("spam list: source prefix 203.0.113.0/24 (entry {})", prefix))
      << "before it is known who is called";
  EXPECT_EQ(Decide("sip:alice@example.org", "not a uri", "203.0.113.77").status(), 403u);
  EXPECT_EQ(Decide("sip:alice@example.org", "not a uri").verdict(), v1::VERDICT_ACCEPT);
  EXPECT_EQ(Hits(uri), 1);
  EXPECT_EQ(Hits(domain), 1);
  EXPECT_EQ(Hits(prefix), 2);
}

TEST_F(CallPolicyTest, SpamOfOneUserStopsCallsToThatUserOnly) {
  const int64_t id = store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "ex.example", "alice"))->id();
  const v1::DecideResponse response = Decide("sip:alice@example.org", "sip:x@ex.example");
  EXPECT_EQ(response.status(), 403u);
  EXPECT_EQ(response.why(),
            fmt::format("spam list: domain ex.example (entry {} of user alice)", id));
  EXPECT_EQ(Decide("sip:away@example.org", "sip:x@ex.example").verdict(), v1::VERDICT_REDIRECT);
  EXPECT_EQ(Hits(id), 1);
}

TEST_F(CallPolicyTest, EntriesForEverybodyComeFirst) {
  const int64_t own = store_->AddSpam(Spam(v1::SPAM_KIND_URI, "sip:x@ex.example", "alice"))->id();
  const int64_t all = store_->AddSpam(Spam(v1::SPAM_KIND_PREFIX, "192.0.2.0/24"))->id();
  Decide("sip:alice@example.org", "sip:x@ex.example");
  EXPECT_EQ(Hits(own), 0);
  EXPECT_EQ(Hits(all), 1);
}

TEST_F(CallPolicyTest, SpamMayBeDropped) {
  config_.spam_action = SpamAction::kDrop;
  ASSERT_TRUE(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "spam.example")).ok());
  const v1::DecideResponse response = Decide("sip:alice@example.org", "sip:x@spam.example");
  EXPECT_EQ(response.verdict(), v1::VERDICT_DROP);
  EXPECT_EQ(response.status(), 0u);
}

TEST_F(CallPolicyTest, SourceIsNeeded) {
  v1::DecideRequest request;
  request.set_request_uri("sip:alice@example.org");
  EXPECT_EQ(CallPolicy(config_, store_.get()).Decide(request).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace stem
