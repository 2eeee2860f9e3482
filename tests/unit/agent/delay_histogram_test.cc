// SPDX-License-Identifier: Apache-2.0
#include "agent/delay_histogram.h"

#include <gtest/gtest.h>

namespace stem {
namespace {

TEST(DelayHistogramTest, EmptySaysZero) {
  const DelayHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.Percentile(0.5), 0u);
}

TEST(DelayHistogramTest, SmallValuesAreExact) {
  DelayHistogram histogram;
  for (uint64_t value = 0; value < 16; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Percentile(0), 0u);
  EXPECT_EQ(histogram.Percentile(1), 15u);
}

TEST(DelayHistogramTest, PercentilesAreWithinABucketOfTheTruth) {
  DelayHistogram histogram;
  for (uint64_t value = 1; value <= 100000; ++value) histogram.Add(value * 1000);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double truth = share * 100000 * 1000;
    EXPECT_GE(static_cast<double>(histogram.Percentile(share)), truth * 0.999) << share;
    EXPECT_LE(static_cast<double>(histogram.Percentile(share)), truth * 1.0625) << share;
  }
  EXPECT_EQ(histogram.max(), 100000000u);
}

TEST(DelayHistogramTest, TheLargestValueFits) {
  DelayHistogram histogram;
  histogram.Add(~uint64_t{0});
  EXPECT_EQ(histogram.Percentile(1), ~uint64_t{0});
}

TEST(DelayHistogramTest, NeverSaysMoreThanTheMaximum) {
  DelayHistogram histogram;
  histogram.Add(1000001);
  EXPECT_EQ(histogram.Percentile(0.5), 1000001u);
}

}  // namespace
}  // namespace stem
