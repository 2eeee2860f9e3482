// SPDX-License-Identifier: Apache-2.0
#include "agent/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "agent/dataplane/errno_status.h"
#include "common/status_macros.h"

namespace stem {
namespace {

constexpr int kEventsAtOnce = 32;

// eventfd and timerfd: the value only says "again".
void Acknowledge(int fd) {
  uint64_t value = 0;
  while (read(fd, &value, sizeof(value)) < 0 && errno == EINTR) {
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Make(size_t queue_limit) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wakeup(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wakeup.valid()) return ErrnoStatus(errno, "making the event loop");
  std::unique_ptr<EventLoop> loop(new EventLoop(std::move(epoll), std::move(wakeup), queue_limit));
  RETURN_IF_ERROR(loop->Watch(loop->wakeup_.get(), [raw = loop.get()] {
    Acknowledge(raw->wakeup_.get());
    raw->RunPosted();
  }));
  return loop;
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wakeup, size_t queue_limit)
    : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)), queue_limit_(queue_limit) {}

absl::Status EventLoop::Watch(int fd, std::function<void()> on_readable) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoStatus(errno, "watching a descriptor");
  }
  watched_[fd] = std::move(on_readable);
  return absl::OkStatus();
}

absl::Status EventLoop::Every(std::chrono::milliseconds period, std::function<void()> on_tick) {
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  itimerspec spec{};
  spec.it_interval.tv_sec = period.count() / 1000;
  spec.it_interval.tv_nsec = period.count() % 1000 * 1'000'000;
  spec.it_value = spec.it_interval;
  if (!timer.valid() || timerfd_settime(timer.get(), 0, &spec, nullptr) != 0) {
    return ErrnoStatus(errno, "making a timer");
  }
  const int fd = timer.get();
  timers_.push_back(std::move(timer));
  return Watch(fd, [fd, on_tick = std::move(on_tick)] {
    Acknowledge(fd);
    on_tick();
  });
}

bool EventLoop::Post(std::function<void()> closure) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || posted_.size() >= queue_limit_) return false;
    posted_.push_back(std::move(closure));
  }
  Wake();
  return true;
}

void EventLoop::Complete(std::function<void()> closure) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(closure));
  }
  Wake();
}

void EventLoop::Wake() {
  const uint64_t one = 1;
  // A full counter (EAGAIN) wakes the loop just as well.
  if (write(wakeup_.get(), &one, sizeof(one)) != sizeof(one) && errno != EAGAIN) {
    std::abort();  // an eventfd we own cannot fail otherwise; a loop that sleeps on is worse
  }
}

void EventLoop::RunPosted() {
  std::deque<std::function<void()>> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(posted_);
  }
  for (const std::function<void()>& closure : batch) closure();
}

absl::Status EventLoop::Run() {
  epoll_event events[kEventsAtOnce];
  while (!stopping_) {
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, -1);
    if (count < 0 && errno != EINTR) return ErrnoStatus(errno, "waiting for events");
    for (int i = 0; i < count; ++i) watched_.at(events[i].data.fd)();
  }
  RunPosted();
  return absl::OkStatus();
}

void EventLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Wake();
}

}  // namespace stem
