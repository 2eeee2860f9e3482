// SPDX-License-Identifier: Apache-2.0
// Live verdicts from the signalling thread to every `stemctl monitor`, without ever holding it up.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/application_gateway/event_queue.h"
#include "stem/v1/control.pb.h"

namespace stem {

// Bounds of the hub. Memory: subscribers x queue entries, allocated when first needed.
struct EventHubLimits {
  size_t subscribers = 16;
  size_t queue = 1024;  // events a slow reader may be behind before it loses some
};

class EventHub {
  struct Slot;

 public:
  // One reader's end. Its methods belong to one thread; destroying it ends the subscription.
  class Subscription {
   public:
    enum class Wait { kEvent, kNothingYet, kClosed };

    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&&) = delete;
    ~Subscription();

    // Takes the next event, waiting for one at most `patience`. Event.lost says how many were lost
    // before it (EventQueue::Pop). kClosed once the hub is closed, what is still queued first.
    Wait Next(v1::Event* event, std::chrono::milliseconds patience);

   private:
    friend class EventHub;
    Subscription(EventHub* hub, Slot* slot) : hub_(hub), slot_(slot) {}
    void Sleep(std::chrono::milliseconds patience);

    EventHub* hub_;
    Slot* slot_;
  };

  explicit EventHub(EventHubLimits limits = {});
  ~EventHub();  // after the last subscription
  EventHub(const EventHub&) = delete;
  EventHub& operator=(const EventHub&) = delete;

  // Whether anybody listens: one relaxed load, to be asked before an event is even put together.
  bool listened() const { return listeners_.load(std::memory_order_relaxed) > 0; }

  // Hands the event to every subscriber. Signalling thread only (a single producer); takes no lock
  // and makes no system call but the one that wakes a sleeping reader, which does not block.
  void Publish(const v1::Event& event);

  // Any thread. RESOURCE_EXHAUSTED when every place is taken, UNAVAILABLE after Close.
  absl::StatusOr<Subscription> Subscribe();

  // Any thread. Wakes every reader; no subscription is given after it.
  void Close();

 private:
  void Unsubscribe(Slot* slot);

  const EventHubLimits limits_;
  std::atomic<int> listeners_ = 0;
  std::atomic<bool> closed_ = false;
  std::mutex mutex_;  // who holds which slot; never taken by Publish
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace stem
