// SPDX-License-Identifier: Apache-2.0
// The signalling thread's loop: file descriptors, closures from other threads, and a steady tick.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/dataplane/unique_fd.h"

namespace stem {

class EventLoop {
 public:
  // `queue_limit` bounds the closures that wait; a full queue makes Post return false.
  static absl::StatusOr<std::unique_ptr<EventLoop>> Make(size_t queue_limit);

  // `on_readable` is called on the loop's thread whenever `fd` has something to read. The
  // descriptor must outlive the loop's last Run.
  absl::Status Watch(int fd, std::function<void()> on_readable);

  // Calls `on_tick` every `period`, on the loop's thread; ticks that were missed are not made up.
  absl::Status Every(std::chrono::milliseconds period, std::function<void()> on_tick);

  // Any thread. Runs `closure` on the loop's thread soon, in the order of posting. False, and
  // nothing happens, when the queue is full or the loop is stopping.
  bool Post(std::function<void()> closure);

  // The same for the result of something the loop's thread itself began, which is never turned
  // away: the number of these is bounded by what began them.
  void Complete(std::function<void()> closure);

  // Serves until Stop(). The calling thread becomes the loop's thread. Closures still waiting when
  // it stops are run before this returns.
  absl::Status Run();

  // Any thread, signal handlers excepted.
  void Stop();

 private:
  EventLoop(UniqueFd epoll, UniqueFd wakeup, size_t queue_limit);
  void RunPosted();
  void Wake();

  UniqueFd epoll_;
  UniqueFd wakeup_;
  std::deque<UniqueFd> timers_;
  std::map<int, std::function<void()>> watched_;
  std::atomic<bool> stopping_ = false;
  const size_t queue_limit_;
  std::mutex mutex_;
  std::deque<std::function<void()>> posted_;
};

}  // namespace stem
