// SPDX-License-Identifier: Apache-2.0
// Brings the guards' limits into the kernel. They are constants of the pipeline program, and
// loading one takes too long for the signalling thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "agent/external_interface/guard_thresholds.h"

namespace stem {

struct GuardLoaderState {
  GuardLimits in_force;
  bool loading = false;  // others are wanted
  std::string failure;   // why they could not be loaded; it is tried again
};

// Thread-safe.
class GuardLoader {
 public:
  // Puts limits into force; called on a thread of the loader's own, one at a time.
  using Load = std::function<absl::Status(const GuardLimits&)>;
  using Done = std::function<void(const absl::Status&)>;

  // `in_force` is what the kernel has already.
  GuardLoader(const GuardLimits& in_force, Load load,
              std::chrono::milliseconds first_retry = std::chrono::seconds(1));
  // Waits for a load under way. What is not done then is done with CANCELLED.
  ~GuardLoader();
  GuardLoader(const GuardLoader&) = delete;
  GuardLoader& operator=(const GuardLoader&) = delete;

  // From now on these are wanted, whatever was wanted before. `done` is called once, on the
  // loader's thread, when they (or later ones) are in force, or when loading has failed for the
  // first time; then it is tried again, at longer and longer intervals. Nothing is loaded when they
  // are in force already.
  void Want(const GuardLimits& wanted, Done done);

  GuardLoaderState state() const;

 private:
  void Run();
  absl::Status LoadWanted(std::unique_lock<std::mutex>& lock);

  const Load load_;
  const std::chrono::milliseconds first_retry_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  GuardLimits in_force_;
  GuardLimits wanted_;
  std::vector<Done> done_;
  std::string failure_;
  bool changed_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace stem
