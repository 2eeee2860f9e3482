// SPDX-License-Identifier: Apache-2.0
#include "sm/replay_guard.h"

#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace stem {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;
using Time = std::chrono::system_clock::time_point;

const Peer kEdge{Role::kFirewall, "edge"};
const Peer kAdmin{Role::kAdministrator, "admin"};
const Time kNow = Time(1'800'000'000s);

v1::RequestHeader Header(Time sent, int nonce) {
  v1::RequestHeader header;
  header.set_sent_unix_ms(
      std::chrono::duration_cast<std::chrono::milliseconds>(sent.time_since_epoch()).count());
  header.set_nonce(fmt::format("{:016}", nonce));
  return header;
}

TEST(ReplayGuard, EachNonceOncePerPeer) {
  ReplayGuard guard({.window = 30s, .table = 100});
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow, 1), kNow).ok());
  const absl::Status again = guard.Admit(kEdge, Header(kNow, 1), kNow + 1s);
  EXPECT_EQ(again.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(again.message()), HasSubstr("header.nonce was used before"));
  EXPECT_FALSE(guard.Admit(kEdge, Header(kNow + 1s, 1), kNow + 1s).ok()) << "time does not matter";
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow, 2), kNow).ok());
  EXPECT_TRUE(guard.Admit(kAdmin, Header(kNow, 1), kNow).ok()) << "another peer's nonces";
  EXPECT_TRUE(guard.Admit({Role::kGateway, "edge"}, Header(kNow, 1), kNow).ok());
}

TEST(ReplayGuard, WindowIsInclusiveOnBothSides) {
  ReplayGuard guard({.window = 30s, .table = 100});
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow - 30s, 1), kNow).ok());
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow + 30s, 2), kNow).ok());
  for (const Time sent : {kNow - 30s - 1ms, kNow + 30s + 1ms, Time(0s), Time(-5s)}) {
    const absl::Status refused = guard.Admit(kEdge, Header(sent, 3), kNow);
    EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(std::string(refused.message()),
                HasSubstr("not within 30000 ms of this security manager's clock"));
  }
}

TEST(ReplayGuard, ExtremeTimesDoNotOverflow) {
  ReplayGuard guard({.window = 30s, .table = 100});
  v1::RequestHeader header = Header(kNow, 1);
  for (const int64_t sent : {INT64_MAX, INT64_MIN, INT64_MAX - 29'999, INT64_MIN + 29'999}) {
    header.set_sent_unix_ms(sent);
    EXPECT_EQ(guard.Admit(kEdge, header, kNow).code(), absl::StatusCode::kUnauthenticated);
  }
}

TEST(ReplayGuard, HeaderMustBeThere) {
  ReplayGuard guard({});
  EXPECT_EQ(guard.Admit(kEdge, v1::RequestHeader(), kNow).code(),
            absl::StatusCode::kInvalidArgument);
  v1::RequestHeader header = Header(kNow, 1);
  header.set_nonce("short");
  EXPECT_EQ(guard.Admit(kEdge, header, kNow).code(), absl::StatusCode::kInvalidArgument);
  header.set_nonce(std::string(17, 'x'));
  EXPECT_EQ(guard.Admit(kEdge, header, kNow).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReplayGuard, RemembersExactlyAsLongAsTheWindowLetsARequestIn) {
  ReplayGuard guard({.window = 30s, .table = 100});
  ASSERT_TRUE(guard.Admit(kEdge, Header(kNow + 30s, 1), kNow).ok());
  // The same request could still be presented 60 s later, the last moment of its window.
  EXPECT_FALSE(guard.Admit(kEdge, Header(kNow + 30s, 1), kNow + 60s).ok());
  EXPECT_EQ(guard.size(), 1u);
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow + 62s, 2), kNow + 62s).ok());
  EXPECT_EQ(guard.size(), 1u) << "the first one is forgotten";
}

TEST(ReplayGuard, ClockSetBackOpensNothing) {
  ReplayGuard guard({.window = 30s, .table = 100});
  const v1::RequestHeader header = Header(kNow, 1);
  ASSERT_TRUE(guard.Admit(kEdge, header, kNow).ok());
  ASSERT_TRUE(guard.Admit(kEdge, Header(kNow + 120s, 2), kNow + 120s).ok());  // forgets the first
  const absl::Status replayed = guard.Admit(kEdge, header, kNow);
  EXPECT_EQ(replayed.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(replayed.message()), HasSubstr("clock was set back"));
}

TEST(ReplayGuard, FullTableRefusesAndCountsUntilTimePasses) {
  ReplayGuard guard({.window = 1s, .table = 4});
  const Peer third{Role::kGateway, "gw"};
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow, 1), kNow).ok());
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow, 2), kNow).ok());
  EXPECT_EQ(guard.Admit(kEdge, Header(kNow, 3), kNow).code(), absl::StatusCode::kResourceExhausted)
      << "half of the table is one peer's share";
  EXPECT_TRUE(guard.Admit(kAdmin, Header(kNow, 1), kNow).ok());
  EXPECT_TRUE(guard.Admit(kAdmin, Header(kNow, 2), kNow).ok());
  EXPECT_EQ(guard.Admit(third, Header(kNow, 1), kNow).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(guard.refused_full(), 2u);
  EXPECT_EQ(guard.size(), 4u);
  EXPECT_FALSE(guard.Admit(kEdge, Header(kNow, 1), kNow).ok()) << "a full table still remembers";
  EXPECT_TRUE(guard.Admit(kEdge, Header(kNow + 5s, 3), kNow + 5s).ok());
  EXPECT_EQ(guard.size(), 1u);
}

TEST(ReplayGuard, ThreadsAdmitEachNonceOnce) {
  ReplayGuard guard({.window = 30s, .table = 100'000});
  std::atomic<int> admitted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        if (guard.Admit(kEdge, Header(kNow, i), kNow).ok()) ++admitted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, 1000);
}

}  // namespace
}  // namespace stem
