// SPDX-License-Identifier: Apache-2.0
#include "ctl/ladder.h"

#include <string>

#include "gtest/gtest.h"

namespace stem::ctl {
namespace {

using Steps = google::protobuf::RepeatedPtrField<v1::LadderStep>;

constexpr v1::Side kOutside = v1::SIDE_OUTSIDE;
constexpr v1::Side kInside = v1::SIDE_INSIDE;

struct Step {
  int64_t us = 0;
  v1::Side from = v1::SIDE_UNSPECIFIED;
  const char* message = "";
  const char* verdict = "";
  const char* why = "";
  double delay_us = 0;
};

Steps Of(std::initializer_list<Step> steps) {
  Steps out;
  for (const Step& step : steps) {
    v1::LadderStep* added = out.Add();
    added->set_unix_us(1'700'000'000'000'000 + step.us);
    added->set_from(step.from);
    added->set_message(step.message);
    added->set_verdict(step.verdict);
    added->set_why(step.why);
    added->set_delay_us(step.delay_us);
  }
  return out;
}

std::string Draw(const Steps& steps, const Screen& screen = {}) {
  return "\n" + RenderLadder(steps, screen);
}

TEST(Ladder, NothingForNoSteps) { EXPECT_EQ(RenderLadder(Steps(), Screen()), ""); }

TEST(Ladder, AWholeCall) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:bob@example.org", "held", "asks the security manager"},
      {120, kOutside, "INVITE sip:bob@example.org", "absorbed", "retransmission"},
      {412, kOutside, "INVITE sip:bob@example.org", "forwarded", "user bob accepts; 2 pinholes",
       412},
      {900, kInside, "180 Ringing (INVITE)", "forwarded", "", 11},
      {1'512'900, kInside, "200 OK (INVITE)", "forwarded", "4 pinholes", 31},
      {1'532'900, kOutside, "ACK sip:bob@198.51.100.20", "forwarded"},
      {61'500'000, kInside, "BYE sip:alice@192.0.2.10", "forwarded"},
  });
  // clang-format off
  EXPECT_EQ(Draw(steps), R"(
             outside                           ┌─ firewall ─┐                            inside
   0.000 ms  INVITE sip:bob@example.org ──────►│ held       │                                    asks the security manager
   0.120 ms  INVITE sip:bob@example.org ──────►│ absorbed   │                                    retransmission
   0.412 ms                                    │ forwarded  │─ INVITE sip:bob@example.org ────►  user bob accepts; 2 pinholes · 412 µs
   0.900 ms  ◄─────────────────────────────────│ forwarded  │◄──────────── 180 Ringing (INVITE)  11.0 µs
    1.512 s  ◄─────────────────────────────────│ forwarded  │◄───────────────── 200 OK (INVITE)  4 pinholes · 31.0 µs
    1.532 s  ACK sip:bob@198.51.100.20 ───────►│ forwarded  │─────────────────────────────────►
1m 01.500 s  ◄─────────────────────────────────│ forwarded  │◄──────── BYE sip:alice@192.0.2.10
                                               └────────────┘
)");
  // clang-format on
}

TEST(Ladder, AnswersOfTheFirewallTurnRoundAtItsWall) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:carol@example.org", "answered 403", "spam"},
      {5, kInside, "BYE sip:x", "answered 481", "no such call"},
  });
  // clang-format off
  EXPECT_EQ(Draw(steps), R"(
          outside                           ┌─ firewall ─────┐                            inside
0.000 ms  INVITE sip:carol@example.org ────►│─╮              │
          ◄────────────────── 403 (INVITE) ─│─╯ answered 403 │                                    spam
0.005 ms                                    │              ╭─│◄─────────────────────── BYE sip:x
                                            │ answered 481 ╰─│─ 481 (BYE) ─────────────────────►  no such call
                                            └────────────────┘
)");
  // clang-format on
}

// The held request is not drawn as arriving twice; its answer still goes back where it came from.
TEST(Ladder, AHeldMessageIsAnsweredOrDroppedLater) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:bob@x", "held"},
      {5, kOutside, "INVITE sip:eve@x", "held"},
      {300, kOutside, "INVITE sip:bob@x", "answered 302", "user bob forwards"},
      {400, kOutside, "INVITE sip:eve@x", "dropped", "user eve drops"},
      {900, kOutside, "INVITE sip:eve@x", "dropped", "still dropped"},
  });
  // clang-format off
  EXPECT_EQ(Draw(steps), R"(
          outside               ┌─ firewall ───┐                inside
0.000 ms  INVITE sip:bob@x ────►│ held         │
0.005 ms  INVITE sip:eve@x ────►│ held         │
0.300 ms  ◄────── 302 (INVITE) ─│ answered 302 │                        user bob forwards
0.400 ms                        │ ✗ dropped    │                        user eve drops
0.900 ms  INVITE sip:eve@x ────✗│ dropped      │                        still dropped
                                └──────────────┘
)");
  // clang-format on
}

TEST(Ladder, DropsEndInACrossOnTheSideTheyCameFrom) {
  const Steps steps = Of({
      {0, kOutside, "BYE sip:x", "dropped", "no such call"},
      {0, kInside, "INFO sip:y", "dropped", "out of state"},
  });
  // clang-format off
  EXPECT_EQ(Draw(steps), R"(
          outside         ┌─ firewall ─┐          inside
0.000 ms  BYE sip:x ─────✗│ dropped    │                  no such call
0.000 ms                  │ dropped    │✗──── INFO sip:y  out of state
                          └────────────┘
)");
  // clang-format on
}

TEST(Ladder, TellsOfStepsLeftOutAndOfWhatTheFirewallDoesAlone) {
  Steps steps = Of({
      {0, kOutside, "ACK sip:x", "forwarded"},
      {70'000'000, v1::SIDE_UNSPECIFIED, "", "closed", "idle media"},
  });
  steps[1].set_omitted_before(1234);
  // clang-format off
  EXPECT_EQ(Draw(steps), R"(
             outside         ┌─ firewall ─┐          inside
   0.000 ms  ACK sip:x ─────►│ forwarded  │───────────────►
          ⋮                  │ ⋮          │                  1,234 steps left out
1m 10.000 s                  │ closed     │                  idle media
                             └────────────┘
)");
  // clang-format on
}

TEST(Ladder, Ascii) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:b\xc3\xb6@x", "answered 403", "spam", 7},
      {1, kInside, "INFO sip:y", "dropped"},
      {2, kInside, "200 OK (BYE)", "forwarded"},
  });
  EXPECT_EQ(Draw(steps, {.glyphs = Glyphs::kAscii}), R"(
          outside                     +- firewall -----+                      inside
0.000 ms  INVITE sip:b\u{00F6}@x ---->|-.              |
          <------------ 403 (INVITE) -|-' answered 403 |                              spam - 7.00 us
0.001 ms                              | dropped        |x---------------- INFO sip:y
0.002 ms  <---------------------------| forwarded      |<-------------- 200 OK (BYE)
                                      +----------------+
)");
}

TEST(Ladder, OnAMiddlingScreenSidesGiveWayAndReasonsWrap) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:bob@example.org", "held", "asks the security manager"},
      {412, kOutside, "INVITE sip:bob@example.org", "forwarded",
       "security manager: user bob accepts; 2 pinholes opened", 412},
  });
  // clang-format off
  EXPECT_EQ(Draw(steps, {.width = 100}), R"(
          outside                 ┌─ firewall ─┐                  inside
0.000 ms  INVITE sip:bob@exam… ──►│ held       │                          asks the security manager
0.412 ms                          │ forwarded  │─ INVITE sip:bob@ex… ──►  security manager: user bob
                                  │            │                          accepts; 2 pinholes opened
                                  │            │                          · 412 µs
                                  └────────────┘
)");
  // clang-format on
}

TEST(Ladder, OnANarrowScreenReasonsGoBelow) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:bob@example.org", "held", "asks the security manager"},
      {412, kOutside, "INVITE sip:bob@example.org", "forwarded",
       "security manager: user bob accepts; 2 pinholes opened", 412},
      {900, kInside, "180 Ringing (INVITE)", "forwarded", "", 11},
  });
  // clang-format off
  EXPECT_EQ(Draw(steps, {.width = 76}), R"(
          outside                   ┌─ firewall ─┐                    inside
0.000 ms  INVITE sip:bob@exampl… ──►│ held       │
            asks the security manager
0.412 ms                            │ forwarded  │─ INVITE sip:bob@exam… ──►
            security manager: user bob accepts; 2 pinholes opened · 412 µs
0.900 ms  ◄─────────────────────────│ forwarded  │◄──── 180 Ringing (INVITE)
                                    └────────────┘
)");
  // clang-format on
}

TEST(Ladder, NoLineIsWiderThanTheScreen) {
  const Steps steps = Of({
      {0, kOutside, "INVITE sip:bob-with-a-long-name@subdomain.example.org", "held", "asks"},
      {412, kOutside, "INVITE sip:bob-with-a-long-name@subdomain.example.org", "answered 403",
       "security manager: spam entry 12, address prefix 203.0.113.0/24", 412},
      {90'000'000, kInside, "BYE sip:alice@192.0.2.10", "answered 481", "no such call", 12},
  });
  for (size_t width = 72; width <= 200; ++width) {
    const std::string drawn = RenderLadder(steps, {.width = width});
    for (size_t start = 0; start < drawn.size(); start = drawn.find('\n', start) + 1) {
      const std::string line = drawn.substr(start, drawn.find('\n', start) - start);
      EXPECT_LE(Columns(line), width) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

TEST(Ladder, WhatCallersWriteCannotCommandTheTerminal) {
  const Steps steps = Of({{0, kOutside, "INVITE sip:\x1b[2J@x", "dropped", "why\x1b[31m\n"}});
  const std::string drawn = RenderLadder(steps, Screen());
  EXPECT_EQ(drawn.find('\x1b'), std::string::npos);
  EXPECT_NE(drawn.find("INVITE sip:\\x1B[2J@x"), std::string::npos);
  EXPECT_NE(drawn.find("why\\x1B[31m\\x0A"), std::string::npos);
}

}  // namespace
}  // namespace stem::ctl
