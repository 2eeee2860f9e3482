// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/event_hub.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "fmt/format.h"

namespace stem {

// A place for one subscriber. Slots live as long as the hub, and their queues are never reset from
// outside: a Publish that still saw `active` while the subscriber left writes into a queue that
// exists, and the next subscriber begins by discarding what is there.
struct EventHub::Slot {
  ~Slot() {
    if (wake_fd >= 0) close(wake_fd);
  }

  void Wake() const {
    // Fails only with EAGAIN when the counter is full, and then the reader is awake anyway.
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake_fd, &one, sizeof(one));
  }

  bool taken = false;  // guarded by EventHub::mutex_
  std::atomic<bool> active = false;
  std::atomic<bool> sleeping = false;
  int wake_fd = -1;
  std::unique_ptr<EventQueue> queue;  // made on first use, before `active` is first set
};

EventHub::EventHub(EventHubLimits limits) : limits_(limits) {
  slots_.reserve(limits_.subscribers);
  for (size_t i = 0; i < limits_.subscribers; ++i) slots_.push_back(std::make_unique<Slot>());
}

EventHub::~EventHub() = default;

void EventHub::Publish(const v1::Event& event) {
  if (!listened()) return;
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (!slot->active.load(std::memory_order_acquire)) continue;
    slot->queue->Push(event);
    // The reader says "sleeping", then looks at the queue once more; we fill the queue, then look
    // whether it sleeps. Both in the single order of sequential consistency: one of the two sees
    // the other, so no event is left lying while its reader sleeps.
    if (slot->sleeping.exchange(false, std::memory_order_seq_cst)) slot->Wake();
  }
}

absl::StatusOr<EventHub::Subscription> EventHub::Subscribe() {
  const std::lock_guard lock(mutex_);
  if (closed_.load()) return absl::UnavailableError("the agent is stopping");
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->taken) continue;
    if (slot->queue == nullptr) {
      slot->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
      if (slot->wake_fd < 0) return absl::ErrnoToStatus(errno, "cannot make an eventfd");
      slot->queue = std::make_unique<EventQueue>(limits_.queue);
    }
    slot->taken = true;
    slot->queue->Discard();
    slot->active.store(true, std::memory_order_release);
    listeners_.fetch_add(1, std::memory_order_relaxed);
    return Subscription(this, slot.get());
  }
  return absl::ResourceExhaustedError(
      fmt::format("all {} places for monitors are taken", slots_.size()));
}

void EventHub::Unsubscribe(Slot* slot) {
  slot->active.store(false, std::memory_order_release);
  slot->sleeping.store(false, std::memory_order_relaxed);
  listeners_.fetch_sub(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  slot->taken = false;
}

void EventHub::Close() {
  const std::lock_guard lock(mutex_);
  closed_.store(true);
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->taken) slot->Wake();
  }
}

EventHub::Subscription::Subscription(Subscription&& other) noexcept
    : hub_(other.hub_), slot_(std::exchange(other.slot_, nullptr)) {}

EventHub::Subscription::~Subscription() {
  if (slot_ != nullptr) hub_->Unsubscribe(slot_);
}

EventHub::Subscription::Wait EventHub::Subscription::Next(v1::Event* event,
                                                          std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    if (slot_->queue->Pop(event)) return Wait::kEvent;
    if (hub_->closed_.load()) return Wait::kClosed;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Wait::kNothingYet;
    Sleep(left);
  }
}

// Until something was published or the hub was closed, at most `patience`; may end early.
void EventHub::Subscription::Sleep(std::chrono::milliseconds patience) {
  slot_->sleeping.store(true, std::memory_order_seq_cst);
  if (slot_->queue->empty()) {
    // Any result will do: after a wake-up, a time-out or an interrupt alike the caller looks again.
    pollfd waited{.fd = slot_->wake_fd, .events = POLLIN, .revents = 0};
    poll(&waited, 1, static_cast<int>(patience.count()));
  }
  slot_->sleeping.store(false, std::memory_order_relaxed);
  // Empties the wake-up counter; EAGAIN when it was empty.
  uint64_t wakes = 0;
  [[maybe_unused]] const ssize_t drained = read(slot_->wake_fd, &wakes, sizeof(wakes));
}

}  // namespace stem
