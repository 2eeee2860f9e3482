// SPDX-License-Identifier: Apache-2.0
// Who is told of a changed policy, without gRPC: run under ThreadSanitizer too.
#include "sm/policy_feed.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sm/store/sqlite_store.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/sm/records.h"

namespace stem {
namespace {

using testing::SizeIs;

// Keeps what it is sent.
class Listener : public PolicyWatcher {
 public:
  explicit Listener(const std::string& identity) { state_.set_identity(identity); }

  void Send(PolicySnapshot snapshot) override {
    const std::lock_guard lock(mutex_);
    const int64_t version = std::stoll(snapshot->version());
    EXPECT_GT(version, version_) << "never back, never the same twice";
    version_ = version;
    known_ = snapshot->known_users_size();
    changed_.notify_all();
  }
  void End(const absl::Status& status) override {
    const std::lock_guard lock(mutex_);
    ended_ = status;
  }
  v1::WatchingFirewall state() const override { return state_; }

  bool WaitForKnown(int users) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return known_ == users; });
  }
  absl::Status ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }

 private:
  v1::WatchingFirewall state_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int64_t version_ = 0;
  int known_ = -1;
  absl::Status ended_;
};

class PolicyFeedTest : public testing::Test {
 protected:
  void Add(const std::string& name) {
    ASSERT_TRUE(store_->AddUser(Record(TestUser(name))).ok());
    feed_.PolicyChanged();
  }

  ScratchFolder scratch_;
  std::unique_ptr<SqliteStore> store_ = *SqliteStore::Open(scratch_ / "sm.db", {});
  PolicyFeed feed_{store_.get(), 2};
};

TEST_F(PolicyFeedTest, TellsAtOnceAndAfterEveryChange) {
  Add("before");
  Listener listener("edge");
  ASSERT_TRUE(feed_.Join(&listener).ok());
  EXPECT_TRUE(listener.WaitForKnown(1));
  Add("after");
  EXPECT_TRUE(listener.WaitForKnown(2));
  feed_.Leave(&listener);
  Add("unwatched");
  Listener next("edge");
  ASSERT_TRUE(feed_.Join(&next).ok());
  EXPECT_TRUE(next.WaitForKnown(3));
  feed_.Leave(&next);
}

TEST_F(PolicyFeedTest, WatchersAreBoundedAndListed) {
  Listener b("b");
  Listener a("a");
  Listener c("c");
  ASSERT_TRUE(feed_.Join(&b).ok());
  ASSERT_TRUE(feed_.Join(&a).ok());
  EXPECT_EQ(feed_.Join(&c),
            absl::ResourceExhaustedError("2 firewalls watch already, the configured limit"));
  const auto watching = feed_.Watching();
  ASSERT_THAT(watching, SizeIs(2));
  EXPECT_EQ(watching[0].identity(), "a");
  EXPECT_EQ(watching[1].identity(), "b");
  feed_.Leave(&a);
  EXPECT_TRUE(feed_.Join(&c).ok());
  feed_.Leave(&b);
  feed_.Leave(&c);
  EXPECT_THAT(feed_.Watching(), SizeIs(0));
}

TEST_F(PolicyFeedTest, CloseEndsEverybody) {
  Listener listener("edge");
  ASSERT_TRUE(feed_.Join(&listener).ok());
  feed_.Close();
  EXPECT_EQ(listener.ended().code(), absl::StatusCode::kUnavailable);
  feed_.Leave(&listener);
  EXPECT_EQ(feed_.Join(&listener).code(), absl::StatusCode::kUnavailable);
}

TEST_F(PolicyFeedTest, WatchersComeAndGoWhileThePolicyChanges) {
  constexpr int kUsers = 40;
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (const std::string identity : {"a", "b"}) {
    threads.emplace_back([&, identity] {
      while (!done) {
        Listener listener(identity);
        ASSERT_TRUE(feed_.Join(&listener).ok());
        EXPECT_GE(feed_.Watching().size(), 1u);
        feed_.Leave(&listener);
      }
    });
  }
  for (int i = 0; i < kUsers; ++i) Add(fmt::format("u{}", i));
  done = true;
  for (std::thread& thread : threads) thread.join();
  Listener last("last");
  ASSERT_TRUE(feed_.Join(&last).ok());
  EXPECT_TRUE(last.WaitForKnown(kUsers));
  feed_.Leave(&last);
}

}  // namespace
}  // namespace stem
