// SPDX-License-Identifier: Apache-2.0
// The latest limits get into the kernel, in order and off the caller's thread.
#include "agent/external_interface/guard_loader.h"

#include <future>
#include <memory>
#include <optional>

#include "gtest/gtest.h"

namespace stem {
namespace {

using std::chrono::milliseconds;

GuardLimits Limits(double rate) {
  GuardLimits limits;
  limits.syn.source.rate = rate;
  return limits;
}

// A kernel that takes its time and refuses when it is told to.
class SlowKernel {
 public:
  absl::Status Load(const GuardLimits& limits) {
    std::unique_lock lock(mutex_);
    tried_.push_back(limits.syn.source.rate);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    return answer_;
  }
  void Hold(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void Answer(absl::Status answer) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }
  std::vector<double> WaitForTries(size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        changed_.wait_for(lock, std::chrono::seconds(20), [&] { return tried_.size() >= count; }));
    return tried_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
  absl::Status answer_;
  std::vector<double> tried_;
};

class GuardLoaderTest : public testing::Test {
 protected:
  std::future<absl::Status> Want(double rate) {
    auto promise = std::make_shared<std::promise<absl::Status>>();
    loader_->Want(Limits(rate),
                  [promise](const absl::Status& status) { promise->set_value(status); });
    return promise->get_future();
  }
  double InForce() const { return loader_->state().in_force.syn.source.rate; }

  SlowKernel kernel_;
  std::optional<GuardLoader> loader_{
      std::in_place, Limits(1), [this](const GuardLimits& limits) { return kernel_.Load(limits); },
      milliseconds(1)};
};

TEST_F(GuardLoaderTest, LoadsWhatIsWantedAndSaysSo) {
  EXPECT_EQ(InForce(), 1);
  EXPECT_TRUE(Want(2).get().ok());
  EXPECT_EQ(InForce(), 2);
  EXPECT_FALSE(loader_->state().loading);
}

TEST_F(GuardLoaderTest, WhatIsInForceIsNotLoadedAgain) {
  EXPECT_TRUE(Want(1).get().ok());
  EXPECT_TRUE(Want(2).get().ok());
  EXPECT_TRUE(Want(2).get().ok());
  EXPECT_EQ(kernel_.WaitForTries(1), std::vector<double>{2});
}

TEST_F(GuardLoaderTest, TheCallerNeverWaitsAndTheLatestWins) {
  kernel_.Hold(true);
  auto first = Want(2);
  kernel_.WaitForTries(1);
  auto second = Want(3);
  auto third = Want(4);
  EXPECT_TRUE(loader_->state().loading);
  EXPECT_EQ(InForce(), 1);
  kernel_.Hold(false);
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_TRUE(third.get().ok());
  EXPECT_EQ(kernel_.WaitForTries(2), (std::vector<double>{2, 4})) << "3 was never wanted alone";
  EXPECT_EQ(InForce(), 4);
}

TEST_F(GuardLoaderTest, AFailureIsToldOnceAndTriedAgainUntilItWorks) {
  kernel_.Answer(absl::InternalError("the verifier says no"));
  const absl::Status failed = Want(2).get();
  EXPECT_EQ(failed.message(), "the verifier says no");
  EXPECT_EQ(InForce(), 1);
  kernel_.WaitForTries(3);
  EXPECT_EQ(loader_->state().failure, "the verifier says no");
  kernel_.Answer(absl::OkStatus());
  for (int i = 0; i < 2000 && loader_->state().loading; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(InForce(), 2);
  // The failure is taken back just after.
  EXPECT_TRUE(Want(2).get().ok());
  EXPECT_EQ(loader_->state().failure, "");
}

TEST_F(GuardLoaderTest, AfterAFailureTheOldLimitsMayBeWantedBack) {
  kernel_.Answer(absl::InternalError("no"));
  EXPECT_FALSE(Want(2).get().ok());
  EXPECT_TRUE(Want(1).get().ok()) << "they are in force: nothing to load";
  EXPECT_FALSE(loader_->state().loading);
}

TEST_F(GuardLoaderTest, EndsWhileItLoadsAndTellsWhoStillWaits) {
  kernel_.Hold(true);
  auto first = Want(2);
  kernel_.WaitForTries(1);
  auto second = Want(3);
  std::thread release([this] { kernel_.Hold(false); });
  loader_.reset();
  release.join();
  EXPECT_TRUE(first.get().ok());
  const absl::Status told = second.get();
  EXPECT_TRUE(told.ok() || absl::IsCancelled(told)) << told;
}

}  // namespace
}  // namespace stem
