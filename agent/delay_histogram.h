// SPDX-License-Identifier: Apache-2.0
// How long messages stay in the agent: a histogram of fixed size with relative precision.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace stem {

// Log-linear buckets, 16 to each power of two: a percentile is right to within 6.25 %.
class DelayHistogram {
 public:
  void Add(uint64_t nanoseconds) {
    ++buckets_[BucketOf(nanoseconds)];
    ++count_;
    if (nanoseconds > max_) max_ = nanoseconds;
  }

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }

  // Upper edge of the bucket in which the `share` (0 to 1) of all values ends, nanoseconds.
  uint64_t Percentile(double share) const {
    if (count_ == 0) return 0;
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(count_ - 1)) + 1;
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen >= wanted) return UpperEdge(bucket) < max_ ? UpperEdge(bucket) : max_;
    }
    return max_;
  }

 private:
  static constexpr int kSubBits = 4;
  static constexpr size_t kSub = size_t{1} << kSubBits;

  static size_t BucketOf(uint64_t value) {
    if (value < kSub) return value;
    const int shift = std::bit_width(value) - 1 - kSubBits;
    return (static_cast<size_t>(shift) + 1) * kSub + ((value >> shift) - kSub);
  }
  static uint64_t UpperEdge(size_t bucket) {
    if (bucket < kSub) return bucket;
    const size_t shift = bucket / kSub - 1;
    return ((kSub + bucket % kSub + 1) << shift) - 1;
  }

  std::array<uint64_t, (64 - kSubBits + 1) * kSub> buckets_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace stem
