// SPDX-License-Identifier: Apache-2.0
#include "agent/event_loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace stem {
namespace {

TEST(EventLoopTest, RunsWhatOtherThreadsPostInOrder) {
  auto loop = *EventLoop::Make(1000);
  std::vector<int> ran;
  std::thread poster([&] {
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(loop->Post([&ran, i] { ran.push_back(i); }));
    loop->Post([&] { loop->Stop(); });
  });
  EXPECT_TRUE(loop->Run().ok());
  poster.join();
  ASSERT_EQ(ran.size(), 500u);
  for (int i = 0; i < 500; ++i) EXPECT_EQ(ran[static_cast<size_t>(i)], i);
}

TEST(EventLoopTest, AFullQueueTurnsQuestionsAwayButNoResults) {
  auto loop = *EventLoop::Make(2);
  int ran = 0;
  EXPECT_TRUE(loop->Post([&] { ++ran; }));
  EXPECT_TRUE(loop->Post([&] { ++ran; }));
  EXPECT_FALSE(loop->Post([&] { ++ran; }));
  loop->Complete([&] { ++ran; });
  loop->Complete([&] { loop->Stop(); });
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_EQ(ran, 3);
  EXPECT_FALSE(loop->Post([] {})) << "a stopped loop takes nothing";
}

TEST(EventLoopTest, ResultsThatComeWhileStoppingAreStillRun) {
  auto loop = *EventLoop::Make(2);
  bool ran = false;
  loop->Complete([&] {
    loop->Stop();
    loop->Complete([&] { ran = true; });
  });
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_TRUE(ran);
}

TEST(EventLoopTest, WatchesDescriptors) {
  auto loop = *EventLoop::Make(2);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::string seen;
  ASSERT_TRUE(loop->Watch(ends[0],
                          [&] {
                            char byte = 0;
                            ASSERT_EQ(read(ends[0], &byte, 1), 1);
                            seen += byte;
                            if (seen == "abc") loop->Stop();
                          })
                  .ok());
  ASSERT_EQ(write(ends[1], "abc", 3), 3);
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_EQ(seen, "abc");
  EXPECT_FALSE(loop->Watch(ends[0], [] {}).ok()) << "a descriptor has one watcher";
  close(ends[0]);
  close(ends[1]);
}

TEST(EventLoopTest, Ticks) {
  auto loop = *EventLoop::Make(2);
  int ticks = 0;
  ASSERT_TRUE(loop->Every(std::chrono::milliseconds(1),
                          [&] {
                            if (++ticks == 5) loop->Stop();
                          })
                  .ok());
  EXPECT_TRUE(loop->Run().ok());
  EXPECT_EQ(ticks, 5);
}

}  // namespace
}  // namespace stem
