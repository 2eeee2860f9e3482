// SPDX-License-Identifier: Apache-2.0
// When a stream exceeds what it may send.
#include "agent/flow_monitor/stream_watch.h"

#include <gtest/gtest.h>

namespace stem {
namespace {

const StreamWatch kWatch(0.2);

TEST(StreamWatchTest, MoreThanTheToleratedShare) {
  EXPECT_FALSE(kWatch.Judge({}, {800, 200}).exceeds);
  EXPECT_TRUE(kWatch.Judge({}, {800, 201}).exceeds);
  EXPECT_TRUE(kWatch.Judge({}, {0, 10}).exceeds);
  EXPECT_FALSE(kWatch.Judge({}, {0, 9}).exceeds) << "a few packets are no matter";
  EXPECT_FALSE(kWatch.Judge({}, {}).exceeds);
}

TEST(StreamWatchTest, OnlyWhatCameSince) {
  EXPECT_FALSE(kWatch.Judge({800, 400}, {1600, 400}).exceeds);
  EXPECT_EQ(kWatch.Judge({800, 400}, {1000, 500}).since.refused, 100u);
}

TEST(StreamWatchTest, CountersThatWentBackCountFromZero) {
  const auto judgement = kWatch.Judge({800, 400}, {10, 20});
  EXPECT_TRUE(judgement.exceeds);
  EXPECT_EQ(judgement.since.passed, 10u);
}

}  // namespace
}  // namespace stem
