// SPDX-License-Identifier: Apache-2.0
// Things that must happen at a time, soonest first; each is in the queue at most once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <utility>

namespace stem {

// T has a member `uint64_t deadline_ns`, 0 while it is not queued, which only the queue changes.
template <typename T>
class DeadlineQueue {
 public:
  // Queues `item` for `at_ns`, or moves it there; 0 takes it out.
  void Set(T& item, uint64_t at_ns) {
    if (item.deadline_ns == at_ns) return;
    if (item.deadline_ns != 0) queue_.erase({item.deadline_ns, &item});
    item.deadline_ns = at_ns;
    if (at_ns != 0) queue_.insert({at_ns, &item});
  }

  // Takes out the soonest item whose time has come; nullptr when there is none.
  T* PopDue(uint64_t now_ns) {
    if (queue_.empty() || queue_.begin()->first > now_ns) return nullptr;
    T* item = queue_.begin()->second;
    queue_.erase(queue_.begin());
    item->deadline_ns = 0;
    return item;
  }

 private:
  std::set<std::pair<uint64_t, T*>> queue_;
};

}  // namespace stem
