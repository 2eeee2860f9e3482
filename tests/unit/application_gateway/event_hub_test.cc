// SPDX-License-Identifier: Apache-2.0
#include "agent/application_gateway/event_hub.h"

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "fmt/format.h"
#include "gtest/gtest.h"

namespace stem {
namespace {

using std::chrono::milliseconds;
using Wait = EventHub::Subscription::Wait;

v1::Event Numbered(int number) {
  v1::Event event;
  event.set_unix_us(number);
  event.set_what(fmt::format("event {}", number));
  return event;
}

TEST(EventHub, ShowsEveryEventInOrderToEverySubscriber) {
  EventHub hub;
  EXPECT_FALSE(hub.listened());
  hub.Publish(Numbered(1));  // nobody listens: gone
  auto first = hub.Subscribe();
  auto second = hub.Subscribe();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(hub.listened());
  for (int i = 2; i <= 5; ++i) hub.Publish(Numbered(i));
  for (auto* reader : {&*first, &*second}) {
    v1::Event event;
    for (int i = 2; i <= 5; ++i) {
      ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
      EXPECT_EQ(event.what(), fmt::format("event {}", i));
      EXPECT_EQ(event.lost(), 0);
    }
    EXPECT_EQ(reader->Next(&event, milliseconds(0)), Wait::kNothingYet);
  }
}

TEST(EventHub, CountsWhatASlowReaderMissed) {
  EventHub hub({.subscribers = 1, .queue = 4});
  auto reader = hub.Subscribe();
  ASSERT_TRUE(reader.ok());
  for (int i = 0; i < 10; ++i) hub.Publish(Numbered(i));  // 0..3 queued, 4..9 lost
  v1::Event event;
  ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
  EXPECT_EQ(event.unix_us(), 0);
  hub.Publish(Numbered(10));  // into the place just freed
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
    EXPECT_EQ(event.unix_us(), i);
    EXPECT_EQ(event.lost(), 0);
  }
  ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
  EXPECT_EQ(event.unix_us(), 10);
  EXPECT_EQ(event.lost(), 6);
  EXPECT_EQ(reader->Next(&event, milliseconds(0)), Wait::kNothingYet);
}

TEST(EventHub, TellsOfALossEvenWhenNothingFollows) {
  EventHub hub({.subscribers = 1, .queue = 2});
  auto reader = hub.Subscribe();
  ASSERT_TRUE(reader.ok());
  for (int i = 0; i < 5; ++i) hub.Publish(Numbered(i));
  v1::Event event;
  ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
  ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
  ASSERT_EQ(reader->Next(&event, milliseconds(0)), Wait::kEvent);
  EXPECT_EQ(event.what(), "");
  EXPECT_EQ(event.lost(), 3);
  EXPECT_EQ(reader->Next(&event, milliseconds(0)), Wait::kNothingYet);
}

TEST(EventHub, RefusesOneTooManyAndGivesAPlaceBack) {
  EventHub hub({.subscribers = 2, .queue = 8});
  auto first = hub.Subscribe();
  ASSERT_TRUE(first.ok());
  {
    auto second = hub.Subscribe();
    ASSERT_TRUE(second.ok());
    const auto third = hub.Subscribe();
    EXPECT_EQ(third.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(third.status().message(), "all 2 places for monitors are taken");
    hub.Publish(Numbered(1));  // left unread in the second's queue
  }
  auto next = hub.Subscribe();
  ASSERT_TRUE(next.ok());
  v1::Event event;
  EXPECT_EQ(next->Next(&event, milliseconds(0)), Wait::kNothingYet) << "saw another's event";
  hub.Publish(Numbered(2));
  ASSERT_EQ(next->Next(&event, milliseconds(0)), Wait::kEvent);
  EXPECT_EQ(event.unix_us(), 2);
}

TEST(EventHub, CloseWakesTheSleepingAndRefusesTheLate) {
  EventHub hub;
  auto reader = hub.Subscribe();
  ASSERT_TRUE(reader.ok());
  const auto begun = std::chrono::steady_clock::now();
  std::thread closer([&] {
    std::this_thread::sleep_for(milliseconds(20));
    hub.Close();
  });
  v1::Event event;
  EXPECT_EQ(reader->Next(&event, milliseconds(30000)), Wait::kClosed);
  closer.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(10));
  EXPECT_EQ(hub.Subscribe().status().code(), absl::StatusCode::kUnavailable);
}

// The producer never stops while readers come, sleep, fall behind and go. Each reader's events are
// in order, and those shown plus those lost leave no gap.
TEST(EventHub, LosesNothingSilentlyUnderLoad) {
  EventHub hub({.subscribers = 3, .queue = 64});
  std::atomic<bool> stop = false;
  std::thread signalling([&] {
    for (int i = 1; !stop; ++i) {
      hub.Publish(Numbered(i));
      if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&hub, r] {
      for (int round = 0; round < 5; ++round) {
        auto reader = hub.Subscribe();
        ASSERT_TRUE(reader.ok()) << reader.status();
        std::optional<int64_t> last;
        v1::Event event;
        for (int seen = 0; seen < 2000; ++seen) {
          // A lost wake-up would make this wait long, and the test time out.
          ASSERT_EQ(reader->Next(&event, milliseconds(60000)), Wait::kEvent);
          if (event.what().empty()) {  // only a loss, told early
            *last += static_cast<int64_t>(event.lost());
            continue;
          }
          if (last.has_value()) {
            ASSERT_EQ(event.unix_us(), *last + static_cast<int64_t>(event.lost()) + 1);
          }
          ASSERT_EQ(event.what(), fmt::format("event {}", event.unix_us()));
          last = event.unix_us();
          if (r == 2 && seen % 50 == 0) std::this_thread::sleep_for(milliseconds(1));
        }
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  stop = true;
  signalling.join();
  EXPECT_FALSE(hub.listened());
}

}  // namespace
}  // namespace stem
