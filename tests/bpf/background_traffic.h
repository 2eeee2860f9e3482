// SPDX-License-Identifier: Apache-2.0
// Packets that keep coming while a test changes what they meet.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>

namespace stem {

// Sends bursts, one after the other, from a thread of its own until it is destroyed.
class BackgroundTraffic {
 public:
  explicit BackgroundTraffic(std::function<void()> burst)
      : thread_([this, send = std::move(burst)] {
          // Where there is one CPU only, the change goes first; WaitForABurst() sees to the
          // packets.
          (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 19);
          while (!stop_) {
            send();
            ++ended_;
            ended_.notify_all();
          }
        }) {}
  ~BackgroundTraffic() {
    stop_ = true;
    thread_.join();
  }
  BackgroundTraffic(const BackgroundTraffic&) = delete;
  BackgroundTraffic& operator=(const BackgroundTraffic&) = delete;

  // Returns when a burst that began after the call has ended.
  void WaitForABurst() const {
    const uint64_t enough = ended_ + 2;  // one may have begun before
    for (uint64_t now = ended_; now < enough; now = ended_) ended_.wait(now);
  }

 private:
  std::atomic<bool> stop_ = false;
  std::atomic<uint64_t> ended_ = 0;
  std::thread thread_;  // last: it uses the others
};

}  // namespace stem
