// SPDX-License-Identifier: Apache-2.0
// The security manager's client against a real gRPC server with real certificates.
#include "agent/external_interface/security_manager.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>

#include "agent/event_loop.h"
#include "common/tls/credentials.h"
#include "grpcpp/server_builder.h"
#include "tests/unit/certificates.h"

namespace stem {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const Peer kSm{Role::kSecurityManager, "sm1"};
const Peer kFirewall{Role::kFirewall, "fw1"};

// Answers as it was told, and sends the policies it was given.
class ScriptedSm : public v1::Firewall::Service {
 public:
  v1::DecideResponse answer;
  bool never_answer = false;
  v1::WatchResponse policy;

  grpc::Status Decide(grpc::ServerContext* context, const v1::DecideRequest* request,
                      v1::DecideResponse* response) override {
    {
      const std::lock_guard lock(mutex_);
      asked_ = *request;
    }
    while (never_answer && !context->IsCancelled()) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    *response = answer;
    return grpc::Status::OK;
  }

  grpc::Status Watch(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::WatchResponse, v1::WatchRequest>* stream) override {
    v1::WatchRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    stream->Write(policy);
    while (stream->Read(&request)) {
      const std::lock_guard lock(mutex_);
      reply_ = request;
      changed_.notify_all();
    }
    return grpc::Status::OK;
  }

  v1::DecideRequest asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  // The firewall's word on the policy.
  v1::WatchRequest WaitForReply() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [this] {
      return !reply_.acknowledged().empty() || !reply_.refused().empty();
    }));
    return reply_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  v1::DecideRequest asked_;
  v1::WatchRequest reply_;
};

class SecurityManagerTest : public testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", *MakeServerCredentials(certificates_.Of(kSm)), &port_);
    builder.RegisterService(&sm_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    loop_ = *EventLoop::Make(100);
    thread_ = std::thread([this] { EXPECT_TRUE(loop_->Run().ok()); });
  }

  void TearDown() override {
    OnLoop([this] { client_.reset(); });
    loop_->Stop();
    thread_.join();
    server_->Shutdown();
  }

  void Connect(SmDown down, milliseconds deadline = std::chrono::seconds(20),
               size_t known_users = 10) {
    OnLoop([&] {
      auto client = SecurityManager::Connect(
          {.firewall = "fw1",
           .address = {*IpAddress::Parse("127.0.0.1"), static_cast<uint16_t>(port_)},
           .tls = certificates_.Of(kFirewall),
           .deadline = deadline,
           .down = down,
           .known_users = known_users,
           .instruct =
               [this](const v1::WatchResponse& policy, const PolicyWatch::Applied& applied) {
                 instructed_.push_back(policy.instructions_size());
                 later_ = applied;
                 if (!hold_) applied(outcome_);
               },
           .complete = [this](std::function<void()> f) { loop_->Complete(std::move(f)); }});
      ASSERT_TRUE(client.ok()) << client.status();
      client_ = *std::move(client);
    });
  }

  CallDecision Decide(const std::string& request_uri = "sip:bob@example.org") {
    std::promise<CallDecision> decided;
    OnLoop([&] {
      CallQuestion question;
      question.call_id = "c1";
      question.caller = "sip:alice@example.net";
      question.request_uri = request_uri;
      question.source = *Endpoint::Parse("192.0.2.10:5060");
      question.codecs = {"PCMU/8000"};
      client_->Decide(question, [&](CallDecision d) { decided.set_value(std::move(d)); });
    });
    return decided.get_future().get();
  }

  // Runs on the signalling thread and waits for it.
  void OnLoop(const std::function<void()>& work) {
    std::promise<void> done;
    loop_->Complete([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  ScriptedSm sm_;
  // On the signalling thread: what becomes of instructions.
  std::vector<int> instructed_;
  PolicyWatch::Outcome outcome_;
  bool hold_ = false;
  PolicyWatch::Applied later_;
  std::unique_ptr<SecurityManager> client_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<grpc::Server> server_;

 private:
  Certificates certificates_{{kSm, kFirewall}};
  int port_ = 0;
  std::thread thread_;
};

TEST_F(SecurityManagerTest, AsksWhatTheCallIsAndTakesTheAnswer) {
  sm_.answer.set_verdict(v1::VERDICT_REFUSE);
  sm_.answer.set_status(486);
  sm_.answer.set_reason("Busy Here");
  sm_.answer.set_why("user bob: profile refuses");
  Connect(SmDown::kAccept);
  const CallDecision decision = Decide();
  EXPECT_EQ(decision.kind, CallDecision::Kind::kRefuse);
  EXPECT_EQ(decision.status, 486);
  EXPECT_EQ(decision.reason, "Busy Here");
  EXPECT_EQ(decision.why, "user bob: profile refuses");
  EXPECT_TRUE(decision.from_sm);
  const v1::DecideRequest asked = sm_.asked();
  EXPECT_EQ(asked.request_uri(), "sip:bob@example.org");
  EXPECT_EQ(asked.caller(), "sip:alice@example.net");
  EXPECT_EQ(asked.source().address(), "192.0.2.10");
  EXPECT_EQ(asked.source().port(), 5060u);
  EXPECT_EQ(asked.header().nonce().size(), 16u);
  EXPECT_GT(asked.header().sent_unix_ms(), 0);
  EXPECT_THAT(asked.codecs(), testing::ElementsAre("PCMU/8000"));
}

TEST_F(SecurityManagerTest, BytesThatAreNoTextDoNotLookLikeAnSmThatIsDown) {
  sm_.answer.set_verdict(v1::VERDICT_REFUSE);
  Connect(SmDown::kAccept);
  const CallDecision decision = Decide("sip:b\xff\xc0ob@example.org");
  EXPECT_TRUE(decision.from_sm) << decision.why;
  EXPECT_EQ(decision.kind, CallDecision::Kind::kRefuse);
}

TEST_F(SecurityManagerTest, EveryVerdict) {
  Connect(SmDown::kRefuse);
  sm_.answer.set_verdict(v1::VERDICT_ACCEPT);
  EXPECT_EQ(Decide().kind, CallDecision::Kind::kAccept);
  sm_.answer.set_verdict(v1::VERDICT_DROP);
  EXPECT_EQ(Decide().kind, CallDecision::Kind::kDrop);
  sm_.answer.set_verdict(v1::VERDICT_REDIRECT);
  sm_.answer.set_contact("sip:carol@example.org");
  const CallDecision redirect = Decide();
  EXPECT_EQ(redirect.kind, CallDecision::Kind::kRedirect);
  EXPECT_EQ(redirect.contact, "sip:carol@example.org");
}

TEST_F(SecurityManagerTest, VerdictsThatCannotBeFollowSmDown) {
  Connect(SmDown::kRefuse);
  EXPECT_FALSE(Decide().from_sm) << "unspecified";
  sm_.answer.set_verdict(v1::VERDICT_REDIRECT);
  EXPECT_FALSE(Decide().from_sm) << "redirect to nowhere";
  sm_.answer.set_verdict(v1::VERDICT_REFUSE);
  sm_.answer.set_status(200);
  EXPECT_EQ(Decide().status, 403) << "a refusal is no success";
}

TEST_F(SecurityManagerTest, WithoutAnAnswerInTimeSmDownDecides) {
  sm_.never_answer = true;
  Connect(SmDown::kRefuse, milliseconds(50));
  const CallDecision decision = Decide();
  EXPECT_EQ(decision.kind, CallDecision::Kind::kRefuse);
  EXPECT_EQ(decision.status, 503);
  EXPECT_FALSE(decision.from_sm);
  EXPECT_THAT(decision.why, HasSubstr("security manager down"));
}

TEST_F(SecurityManagerTest, WithoutAServerSmDownDecides) {
  server_->Shutdown();
  Connect(SmDown::kAccept);
  const CallDecision decision = Decide();
  EXPECT_EQ(decision.kind, CallDecision::Kind::kAccept);
  EXPECT_FALSE(decision.from_sm);
}

TEST_F(SecurityManagerTest, KnownUsersMayBeCalledWithoutIt) {
  sm_.policy.set_version("v7");
  sm_.policy.add_known_users("sip:Bob@Example.org");
  Connect(SmDown::kKnownUsers, milliseconds(200));
  EXPECT_EQ(sm_.WaitForReply().acknowledged(), "v7");
  OnLoop([&] {
    EXPECT_TRUE(client_->State().connected);
    EXPECT_EQ(client_->State().policy_version, "v7");
  });
  sm_.never_answer = true;
  EXPECT_EQ(Decide("sip:Bob@EXAMPLE.ORG;user=phone").kind, CallDecision::Kind::kAccept);
  EXPECT_EQ(Decide("sip:bob@example.org").kind, CallDecision::Kind::kRefuse)
      << "user parts are case-sensitive";
  EXPECT_EQ(Decide("sip:mallory@example.org").kind, CallDecision::Kind::kRefuse);
  EXPECT_EQ(Decide("nonsense").kind, CallDecision::Kind::kRefuse);
}

TEST_F(SecurityManagerTest, APolicyOverTheLimitIsRefusedWithItsReason) {
  sm_.policy.set_version("v8");
  sm_.policy.add_known_users("sip:a@example.org");
  sm_.policy.add_known_users("sip:b@example.org");
  sm_.policy.add_instructions()->set_id(4);
  Connect(SmDown::kKnownUsers, milliseconds(200), 1);
  const v1::WatchRequest reply = sm_.WaitForReply();
  EXPECT_EQ(reply.refused(), "v8");
  EXPECT_THAT(reply.refusal(), HasSubstr("limits.known_users is 1"));
  OnLoop([&] {
    EXPECT_EQ(client_->State().policy_version, "");
    EXPECT_EQ(instructed_, std::vector<int>{1}) << "its instructions are followed all the same";
  });
}

TEST_F(SecurityManagerTest, APolicyIsAcknowledgedWhenItsInstructionsAreInForceAndNotBefore) {
  sm_.policy.set_version("v9");
  sm_.policy.add_instructions()->set_id(4);
  hold_ = true;
  Connect(SmDown::kRefuse);
  for (bool given = false; !given;) OnLoop([&] { given = !instructed_.empty(); });
  OnLoop([&] {
    EXPECT_EQ(instructed_, std::vector<int>{1});
    EXPECT_EQ(client_->State().policy_version, "");
    later_({absl::OkStatus(), {"instruction 4: no room"}});
  });
  const v1::WatchRequest reply = sm_.WaitForReply();
  EXPECT_EQ(reply.acknowledged(), "v9");
  EXPECT_THAT(reply.not_followed(), testing::ElementsAre("instruction 4: no room"));
  OnLoop([&] { EXPECT_EQ(client_->State().policy_version, "v9"); });
}

TEST_F(SecurityManagerTest, WhatDidNotReachTheKernelIsRefusedWithItsReason) {
  sm_.policy.set_version("v9");
  outcome_.status = absl::InternalError("the verifier says no");
  Connect(SmDown::kRefuse);
  const v1::WatchRequest reply = sm_.WaitForReply();
  EXPECT_EQ(reply.refused(), "v9");
  EXPECT_EQ(reply.refusal(), "the verifier says no");
  EXPECT_EQ(reply.acknowledged(), "");
}

TEST_F(SecurityManagerTest, GoesAwayWhileInstructionsAreUnderWay) {
  hold_ = true;
  Connect(SmDown::kRefuse);
  for (bool given = false; !given;) OnLoop([&] { given = !instructed_.empty(); });
  OnLoop([&] { client_.reset(); });
  OnLoop([&] { later_({absl::OkStatus(), {}}); });
}

TEST_F(SecurityManagerTest, GoesAwayWhileADecisionIsUnderWay) {
  sm_.never_answer = true;
  Connect(SmDown::kRefuse);
  bool called = false;
  OnLoop([&] { client_->Decide(CallQuestion(), [&](CallDecision) { called = true; }); });
  OnLoop([&] { client_.reset(); });
  OnLoop([&] { EXPECT_FALSE(called); });
}

}  // namespace
}  // namespace stem
