// SPDX-License-Identifier: Apache-2.0
#include "agent/external_interface/guard_loader.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace stem {
namespace {

constexpr auto kLongestRetry = std::chrono::seconds(30);

}  // namespace

GuardLoader::GuardLoader(const GuardLimits& in_force, Load load,
                         std::chrono::milliseconds first_retry)
    : load_(std::move(load)),
      first_retry_(first_retry),
      in_force_(in_force),
      wanted_(in_force),
      thread_([this] { Run(); }) {}

GuardLoader::~GuardLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
  thread_.join();
  for (const Done& done : done_) done(absl::CancelledError("the agent is stopping"));
}

void GuardLoader::Want(const GuardLimits& wanted, Done done) {
  {
    const std::lock_guard lock(mutex_);
    wanted_ = wanted;
    done_.push_back(std::move(done));
    changed_ = true;
  }
  wake_.notify_one();
}

GuardLoaderState GuardLoader::state() const {
  const std::lock_guard lock(mutex_);
  return {in_force_, wanted_ != in_force_, failure_};
}

absl::Status GuardLoader::LoadWanted(std::unique_lock<std::mutex>& lock) {
  if (wanted_ == in_force_) return absl::OkStatus();
  const GuardLimits limits = wanted_;
  lock.unlock();
  absl::Status loaded = load_(limits);
  lock.lock();
  if (loaded.ok()) in_force_ = limits;
  return loaded;
}

void GuardLoader::Run() {
  std::unique_lock lock(mutex_);
  std::chrono::milliseconds retry = first_retry_;
  for (;;) {
    const auto called = [this] { return changed_ || stopped_; };
    if (failure_.empty()) {
      wake_.wait(lock, called);
    } else {
      wake_.wait_for(lock, retry, called);
      retry = std::min<std::chrono::milliseconds>(retry * 2, kLongestRetry);
    }
    if (stopped_) return;
    changed_ = false;
    const std::vector<Done> done = std::exchange(done_, {});
    const absl::Status loaded = LoadWanted(lock);
    const std::string failure(loaded.message());
    if (!loaded.ok() && failure != failure_) {
      spdlog::error("the guards' limits stay as they are, trying again: {}", failure);
    } else if (loaded.ok() && !failure_.empty()) {
      spdlog::info("the guards' limits are as they should be again");
    }
    if (loaded.ok()) retry = first_retry_;
    failure_ = failure;
    lock.unlock();
    for (const Done& one : done) one(loaded);
    lock.lock();
  }
}

}  // namespace stem
