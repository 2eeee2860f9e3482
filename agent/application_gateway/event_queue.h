// SPDX-License-Identifier: Apache-2.0
// A bounded queue of monitor events from one writing thread to one reading thread, without locks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "stem/v1/control.pb.h"

namespace stem {

// Single producer, single consumer. The role of the consumer may pass from one thread to another
// through a lock; the producer is the same thread for good. A full queue turns the newest event
// away and counts it, so that what was queued first is shown first and the gap is known exactly.
class EventQueue {
 public:
  explicit EventQueue(size_t capacity) : entries_(capacity) {}

  // Producer. Never blocks; costs one copy of the event.
  void Push(const v1::Event& event) {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= entries_.size()) {
      turned_away_.fetch_add(1, std::memory_order_release);
      return;
    }
    Entry& entry = entries_[tail % entries_.size()];
    entry.event = event;
    entry.turned_away_before = turned_away_.load(std::memory_order_relaxed);
    // Sequentially consistent, as is empty(): see EventHub::Publish for the pairing with a sleeping
    // reader.
    tail_.store(tail + 1, std::memory_order_seq_cst);
  }

  // Consumer. Moves the oldest event into *event, with Event.lost set to the number of events
  // turned away between it and the one before. When the queue is empty but events were turned away
  // since, yields an event that says only that (all fields but `lost` empty), so that a burst's
  // loss is told even if nothing ever follows. False when there is nothing to tell.
  bool Pop(v1::Event* event) {
    // Read before tail_: if the queue is empty after that, everything queued before these losses
    // has been shown, and they are told in their place.
    const uint64_t turned_away = turned_away_.load(std::memory_order_acquire);
    const uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) {
      const uint64_t lost = TakeLost(turned_away);
      if (lost == 0) return false;
      event->Clear();
      event->set_lost(lost);
      return true;
    }
    Entry& entry = entries_[head % entries_.size()];
    event->Swap(&entry.event);  // leaves the old event's buffers behind for the next Push
    event->set_lost(TakeLost(entry.turned_away_before));
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Consumer. Forgets what is queued and what was lost.
  void Discard() {
    head_.store(tail_.load(std::memory_order_acquire), std::memory_order_release);
    told_lost_ = turned_away_.load(std::memory_order_relaxed);
  }

  // Consumer.
  bool empty() const {
    return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst);
  }

 private:
  struct Entry {
    v1::Event event;
    uint64_t turned_away_before = 0;
  };

  uint64_t TakeLost(uint64_t turned_away) {
    return turned_away > told_lost_ ? turned_away - std::exchange(told_lost_, turned_away) : 0;
  }

  std::vector<Entry> entries_;
  std::atomic<uint64_t> tail_ = 0;         // next to write
  std::atomic<uint64_t> head_ = 0;         // next to read
  std::atomic<uint64_t> turned_away_ = 0;  // events that found the queue full
  uint64_t told_lost_ = 0;                 // consumer's: how many of those were reported
};

}  // namespace stem
