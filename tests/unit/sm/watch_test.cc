// SPDX-License-Identifier: Apache-2.0
// Firewall.Watch: snapshots, acknowledgements, who is there, and how streams end.
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "tests/unit/sm/sm_fixture.h"

namespace stem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// One firewall's stream. Every wait ends with the deadline of 10 s at the latest.
class Watcher {
 public:
  explicit Watcher(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::Firewall::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    stream_ = stub_->Watch(&context_);
  }

  bool Write(v1::WatchRequest request) {
    EXPECT_TRUE(FillRequestHeader(request.mutable_header()).ok());
    return stream_->Write(request);
  }
  bool WriteAsItIs(const v1::WatchRequest& request) { return stream_->Write(request); }

  bool Hello(const std::string& instance) {
    v1::WatchRequest request;
    request.set_firewall(instance);
    return Write(request);
  }

  // The next snapshot; version "" when the stream ended.
  v1::WatchResponse Next() {
    v1::WatchResponse response;
    if (!stream_->Read(&response)) response.Clear();
    return response;
  }

  grpc::Status Finish() { return stream_->Finish(); }
  void HangUp() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }

 private:
  std::unique_ptr<v1::Firewall::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WatchRequest, v1::WatchResponse>> stream_;
};

class WatchTest : public SmFixture {
 protected:
  // Polls the status until `is` holds for it.
  template <typename Predicate>
  bool StatusBecomes(const Predicate& is) {
    for (int i = 0; i < 200; ++i) {
      if (is(Status())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
};

TEST_F(WatchTest, SnapshotAtOnceAndAfterEveryChange) {
  ASSERT_TRUE(AddUser(TestUser("alice")).ok());
  Watcher watcher(ChannelOf(kEdge1));
  ASSERT_TRUE(watcher.Hello("edge"));
  const v1::WatchResponse first = watcher.Next();
  EXPECT_THAT(first.known_users(), ElementsAre("sip:alice@example.org"));
  ASSERT_TRUE(AddUser(TestUser("bob")).ok());
  const v1::WatchResponse second = watcher.Next();
  EXPECT_NE(second.version(), first.version());
  EXPECT_THAT(second.known_users(), ElementsAre("sip:alice@example.org", "sip:bob@example.org"));
  ASSERT_TRUE(SetUser(TestUser("alice", v1::INCOMING_CALLS_DROP)).ok());
  EXPECT_THAT(watcher.Next().known_users(), ElementsAre("sip:bob@example.org"));
}

TEST_F(WatchTest, AcknowledgementsAndRefusalsAreKept) {
  Watcher watcher(ChannelOf(kEdge1));
  ASSERT_TRUE(watcher.Hello("edge\n1"));
  const std::string version = watcher.Next().version();
  v1::WatchRequest refusal;
  refusal.set_refused(version);
  refusal.set_refusal("too many users");
  ASSERT_TRUE(watcher.Write(refusal));
  EXPECT_TRUE(StatusBecomes([&](const v1::SmStatus& status) {
    return status.watching_size() == 1 && status.watching(0).refused() == version &&
           status.watching(0).refusal() == "too many users" &&
           status.watching(0).acknowledged().empty() &&
           status.watching(0).instance() == "edge\\x0A1";
  }));
  v1::WatchRequest acknowledgement;
  acknowledgement.set_acknowledged(version);
  ASSERT_TRUE(watcher.Write(acknowledgement));
  EXPECT_TRUE(StatusBecomes([&](const v1::SmStatus& status) {
    return status.watching(0).acknowledged() == version && status.watching(0).refused().empty();
  }));
}

TEST_F(WatchTest, WhatAFirewallDoesNotFollowIsShownUntilItDoes) {
  Watcher watcher(ChannelOf(kEdge1));
  ASSERT_TRUE(watcher.Hello("a"));
  v1::WatchRequest acknowledgement;
  acknowledgement.set_acknowledged(watcher.Next().version());
  acknowledgement.add_not_followed("instruction 7 (block 203.0.113.9): the table\nis full");
  ASSERT_TRUE(watcher.Write(acknowledgement));
  EXPECT_TRUE(StatusBecomes([](const v1::SmStatus& status) {
    return status.watching_size() == 1 && status.watching(0).not_followed_size() == 1 &&
           status.watching(0).not_followed(0) ==
               "instruction 7 (block 203.0.113.9): the table\\x0Ais full";
  }));
  acknowledgement.clear_not_followed();
  ASSERT_TRUE(watcher.Write(acknowledgement));
  EXPECT_TRUE(StatusBecomes(
      [](const v1::SmStatus& status) { return status.watching(0).not_followed_size() == 0; }));
}

TEST_F(WatchTest, StatusListsWhoIsThere) {
  EXPECT_THAT(Status().firewalls(), IsEmpty());
  Watcher second(ChannelOf(kEdge2));
  ASSERT_TRUE(second.Hello("b"));
  second.Next();
  auto first = std::make_unique<Watcher>(ChannelOf(kEdge1));
  ASSERT_TRUE(first->Hello("a"));
  first->Next();
  EXPECT_THAT(Status().firewalls(), ElementsAre("edge1", "edge2"));
  first->HangUp();
  EXPECT_TRUE(first->Finish().ok());
  EXPECT_TRUE(StatusBecomes([](const v1::SmStatus& s) { return s.firewalls_size() == 1; }));
  second.Cancel();
  EXPECT_EQ(second.Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(StatusBecomes([](const v1::SmStatus& s) { return s.firewalls_size() == 0; }));
}

TEST_F(WatchTest, OnlyFirewallsWatch) {
  Watcher watcher(ChannelOf(kAdmin));
  EXPECT_EQ(watcher.Next().version(), "");
  const grpc::Status status = watcher.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("this needs the role firewall"));
}

TEST_F(WatchTest, EveryMessageMustBeFresh) {
  Watcher bare(ChannelOf(kEdge1));
  ASSERT_TRUE(bare.WriteAsItIs(v1::WatchRequest()));
  EXPECT_EQ(bare.Next().version(), "");
  EXPECT_EQ(bare.Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);

  Watcher replaying(ChannelOf(kEdge1));
  const auto request = Fresh<v1::WatchRequest>();
  ASSERT_TRUE(replaying.WriteAsItIs(request));
  EXPECT_NE(replaying.Next().version(), "");
  replaying.WriteAsItIs(request);
  EXPECT_EQ(replaying.Next().version(), "");
  EXPECT_EQ(replaying.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(WatchTest, StreamsAreBounded) {
  config_.server.firewalls = 1;
  Restart();
  Watcher first(ChannelOf(kEdge1));
  ASSERT_TRUE(first.Hello("a"));
  EXPECT_NE(first.Next().version(), "");
  Watcher second(ChannelOf(kEdge2));
  ASSERT_TRUE(second.Hello("b"));
  EXPECT_EQ(second.Next().version(), "");
  EXPECT_EQ(second.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(WatchTest, StoppingEndsStreamsAtOnce) {
  Watcher watcher(ChannelOf(kEdge1));
  ASSERT_TRUE(watcher.Hello("a"));
  watcher.Next();
  const auto begin = std::chrono::steady_clock::now();
  server_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(watcher.Next().version(), "");
  const grpc::Status status = watcher.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(WatchTest, SlowReaderGetsTheNewest) {
  Watcher watcher(ChannelOf(kEdge1));
  ASSERT_TRUE(watcher.Hello("a"));
  watcher.Next();
  constexpr int kChanges = 50;
  for (int i = 0; i < kChanges; ++i) {
    ASSERT_TRUE(AddUser(TestUser(fmt::format("u{}", i))).ok());
  }
  int known = 0;
  int64_t last = 0;
  while (known < kChanges) {
    const v1::WatchResponse snapshot = watcher.Next();
    ASSERT_NE(snapshot.version(), "") << "the stream ended before the newest snapshot";
    const int64_t version = std::stoll(snapshot.version());
    EXPECT_GT(version, last) << "never back to an older one";
    last = version;
    known = snapshot.known_users_size();
  }
}

TEST_F(WatchTest, StreamsComeAndGoWhilePolicyChanges) {
  std::vector<std::thread> threads;
  for (const Peer& peer : {kEdge1, kEdge2}) {
    threads.emplace_back([&, channel = ChannelOf(peer)] {
      for (int i = 0; i < 20; ++i) {
        Watcher watcher(channel);
        ASSERT_TRUE(watcher.Hello("x"));
        EXPECT_NE(watcher.Next().version(), "");
        if (i % 2 == 0) watcher.Cancel();
        if (i % 2 == 1) watcher.HangUp();
        while (!watcher.Next().version().empty()) {
        }
        watcher.Finish();
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(AddUser(TestUser(fmt::format("u{}", i))).ok());
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(StatusBecomes([](const v1::SmStatus& s) { return s.firewalls_size() == 0; }));
}

}  // namespace
}  // namespace stem
