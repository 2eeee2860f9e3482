// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "ctl/call_view.h"
#include "ctl/counter_view.h"
#include "ctl/directory_view.h"
#include "ctl/event_view.h"
#include "ctl/json_text.h"
#include "ctl/pki_view.h"
#include "ctl/status_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace stem::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'100'000;  // 2023-11-14 22:15:00 UTC

Viewpoint View(Screen screen = {}) {
  return {.screen = screen, .now_unix_ms = kNow, .zone = absl::UTCTimeZone()};
}

v1::AgentStatus HealthyStatus() {
  v1::AgentStatus status;
  status.set_name("lab");
  status.set_version("0.1.0");
  status.set_pid(4711);
  status.set_started_unix_ms(kNow - 72'000);
  status.set_sm_address("198.51.100.5:7443");
  status.set_sm_connected(true);
  status.set_sm_down("refuse");
  status.set_policy_version("7");
  status.set_adopted_calls(2);
  status.set_pin_directory("/sys/fs/bpf/stem/lab");
  v1::Interface* outside = status.add_interfaces();
  outside->set_name("outside0");
  outside->set_side(v1::SIDE_OUTSIDE);
  outside->set_xdp_mode("native");
  outside->set_queues(2);
  v1::TableUse* calls = status.add_tables();
  calls->set_name("calls");
  calls->set_used(2500);
  calls->set_limit(10'000);
  calls->set_high_water(3000);
  v1::Delay* delay = status.add_delays();
  delay->set_name("without SM decision");
  delay->set_count(12'345);
  delay->set_p50_us(18.3);
  delay->set_p99_us(412);
  delay->set_max_us(1240);
  status.add_delays()->set_name("with SM decision");
  return status;
}

TEST(StatusView, AHealthyAgent) {
  EXPECT_THAT(Concerns(HealthyStatus()), IsEmpty());
  EXPECT_EQ("\n" + RenderAgentStatus(HealthyStatus(), View()), R"(
● stem-agent lab  all is well
  up                1m 12s, process 4711, version 0.1.0
  security manager  198.51.100.5:7443  connected
  policy version    7
  adopted calls     2
  pinned in         /sys/fs/bpf/stem/lab

INTERFACE  SIDE     XDP MODE  QUEUES  ATTACHED
outside0   outside  native         2  alone

TABLE  IN USE                       USED   LIMIT  HIGH WATER  REFUSED
calls  █████░░░░░░░░░░░░░░░  25 %  2,500  10,000       3,000        0

DELAY ADDED          MESSAGES      P50     P99      MAX
without SM decision    12,345  18.3 µs  412 µs  1.24 ms
with SM decision            0        -       -        -
)");
}

TEST(StatusView, WhatIsWrongComesFirst) {
  v1::AgentStatus status = HealthyStatus();
  status.set_sm_connected(false);
  status.mutable_interfaces(0)->set_xdp_mode("generic");
  status.mutable_tables(0)->set_used(9'700);
  status.mutable_tables(0)->set_refused(1);
  EXPECT_THAT(
      Concerns(status),
      ElementsAre("the security manager 198.51.100.5:7443 is not connected; new calls: refuse",
                  "outside0 runs in generic XDP mode, which is slow",
                  "table calls is 97 % full (9,700 of 10,000)", "table calls was full 1 time"));
  const std::string shown = RenderAgentStatus(status, View());
  EXPECT_THAT(shown, HasSubstr("● stem-agent lab  4 to look at\n  ! the security manager"));
  EXPECT_THAT(shown, HasSubstr("not connected (sm_down: refuse)"));
  status.clear_interfaces();
  EXPECT_THAT(Concerns(status), testing::Contains("no interface is attached"));
}

TEST(StatusView, ABarIsNeverEmptyForSomethingNorTooLong) {
  v1::AgentStatus status = HealthyStatus();
  const auto line_for = [&](uint64_t used, Glyphs glyphs) {
    status.mutable_tables(0)->set_used(used);
    const std::string shown = RenderAgentStatus(status, View({.glyphs = glyphs}));
    return shown.substr(shown.find("\ncalls") + 1, 35);
  };
  const Glyphs ascii = Glyphs::kAscii;
  EXPECT_EQ(line_for(0, ascii), "calls  ....................  0 %   ");
  EXPECT_EQ(line_for(1, ascii), "calls  ....................  <1 %  ");
  EXPECT_EQ(line_for(5'000, ascii), "calls  ##########..........  50 %  ");
  EXPECT_EQ(line_for(20'000, ascii), "calls  ####################  200 % ");
  EXPECT_THAT(line_for(1, Glyphs::kUnicode), testing::StartsWith("calls  ▏░"));
  EXPECT_THAT(line_for(700, Glyphs::kUnicode), testing::StartsWith("calls  █▌░"));
}

TEST(StatusView, AFullHistoryIsNoConcern) {
  v1::AgentStatus status = HealthyStatus();
  status.mutable_tables(0)->set_used(10'000);
  EXPECT_THAT(Concerns(status), ElementsAre("table calls is 100 % full (10,000 of 10,000)"));
  status.mutable_tables(0)->set_forgets_oldest(true);
  EXPECT_THAT(Concerns(status), IsEmpty());
}

TEST(StatusView, SecurityManager) {
  v1::SmStatus status;
  status.set_version("0.1.0");
  status.set_started_unix_ms(kNow - 3'600'000);
  status.set_users(1234);
  status.set_decisions(5);
  status.set_database("/var/lib/stem/sm.db");
  EXPECT_THAT(RenderSmStatus(status, View()), HasSubstr("firewalls watching  none"));
  status.add_firewalls("fw1");
  status.add_firewalls("fw2");
  EXPECT_EQ("\n" + RenderSmStatus(status, View()), R"(
● stem-sm
  up                  1h 00m, version 0.1.0
  firewalls watching  fw1, fw2
  users               1,234
  spam entries        0
  calls decided       5
  database            /var/lib/stem/sm.db
)");
}

v1::Call EstablishedCall() {
  v1::Call call;
  call.set_id("3f2a000000000001");
  call.set_call_id("a84b4c76e66710@192.0.2.10");
  call.set_caller("sip:alice@example.com");
  call.set_callee("sip:bob@example.org");
  call.set_state("established");
  call.set_origin(v1::SIDE_OUTSIDE);
  call.set_started_unix_ms(kNow - 75'000);
  call.set_answered_unix_ms(kNow - 72'000);
  call.set_pinhole_count(4);
  call.set_why("user bob accepts");
  call.mutable_caller_signalling()->set_address("192.0.2.10");
  call.mutable_caller_signalling()->set_port(5060);
  call.mutable_callee_signalling()->set_address("198.51.100.10");
  call.mutable_callee_signalling()->set_port(5060);
  return call;
}

TEST(CallView, List) {
  EXPECT_EQ(RenderCalls({}, View()), "no calls\n");
  v1::ListCallsResponse calls;
  *calls.add_calls() = EstablishedCall();
  v1::Call* ended = calls.add_calls();
  ended->set_id("3f2a000000000002");
  ended->set_state("ended");
  ended->set_outcome("refused: 403");
  ended->set_why("spam");
  ended->set_origin(v1::SIDE_OUTSIDE);
  ended->set_caller("sip:bot@spam.example");
  ended->set_callee("sip:bob@example.org");
  ended->set_started_unix_ms(kNow - 5000);
  ended->set_ended_unix_ms(kNow - 4600);
  // clang-format off
  EXPECT_EQ("\n" + RenderCalls(calls, View()), R"(
ID                STATE        FROM     CALLER                 CALLEE               LENGTH  PINHOLES  WHY
3f2a000000000001  established  outside  sip:alice@example.com  sip:bob@example.org  1m 12s         4  user bob accepts
3f2a000000000002  ended        outside  sip:bot@spam.example   sip:bob@example.org  400 ms         0  refused: 403
)");
  // clang-format on
}

TEST(CallView, OneCallWithLadderAndPinholes) {
  v1::Call call = EstablishedCall();
  call.set_adopted(true);
  v1::LadderStep* step = call.add_ladder();
  step->set_from(v1::SIDE_OUTSIDE);
  step->set_message("BYE sip:bob");
  step->set_verdict("forwarded");
  v1::Pinhole* late = call.add_pinholes();
  late->mutable_destination()->set_address("198.51.100.20");
  late->mutable_destination()->set_port(30'000);
  late->set_from(v1::SIDE_OUTSIDE);
  late->set_peer("192.0.2.10:4000");
  late->set_media("rtp");
  late->set_call(call.id());
  late->set_packets(3600);
  late->set_bytes(720'000);
  late->set_idle_ms(12);
  late->set_age_ms(72'000);
  late->set_wrong_peer(3);
  late->set_too_fast(12'345);
  late->mutable_limits()->set_bytes_per_second(15'000);
  v1::Pinhole* early = call.add_pinholes();
  *early = *late;
  early->mutable_destination()->set_port(29'000);
  early->set_peer("any");
  early->set_packets(0);
  early->set_bytes(0);
  early->set_idle_ms(-1);
  early->set_wrong_peer(0);
  early->set_too_fast(0);
  early->set_refused(1);
  early->clear_limits();
  // clang-format off
  EXPECT_EQ("\n" + RenderCall(call, View()), R"(
call 3f2a000000000001
  from      sip:alice@example.com  outside 192.0.2.10:5060
  to        sip:bob@example.org  inside 198.51.100.10:5060
  Call-ID   a84b4c76e66710@192.0.2.10
  started   2023-11-14 22:13:45 UTC
  state     established, talked for 1m 12s, adopted from an earlier agent
  why       user bob accepts

          outside          ┌─ firewall ─┐           inside
0.000 ms  BYE sip:bob ────►│ forwarded  │────────────────►
                           └────────────┘

FROM     PEER             DESTINATION          MEDIA  PACKETS    BYTES           IDLE     AGE      LIMIT  WRONG PEER  TOO FAST  BAD RTP  CALL
outside  any              198.51.100.20:29000  rtp          0        0  no packet yet  1m 12s       none           0         0        1  3f2a000000000001
outside  192.0.2.10:4000  198.51.100.20:30000  rtp      3,600  720,000          12 ms  1m 12s  15.0 kB/s           3    12,345        0  3f2a000000000001
)");
  // clang-format on
  EXPECT_EQ(RenderPinholes({}, View()), "no pinholes\n");
}

v1::GetCountersResponse SomeCounters() {
  v1::GetCountersResponse counters;
  const auto add = [&](const char* name, v1::Side side, uint64_t packets, bool drop) {
    v1::Counter* counter = counters.add_counters();
    counter->set_name(name);
    counter->set_side(side);
    counter->set_packets(packets);
    counter->set_bytes(packets * 100);
    counter->set_drop(drop);
    counter->set_meaning("meaning");
  };
  add("media_relayed", v1::SIDE_OUTSIDE, 12'345, false);
  add("no_pinhole", v1::SIDE_OUTSIDE, 5, true);
  add("no_pinhole", v1::SIDE_INSIDE, 0, true);
  add("sip_screened", v1::SIDE_UNSPECIFIED, 1, true);
  return counters;
}

TEST(CounterView, Totals) {
  EXPECT_EQ(RenderCounters({}, ZeroRows::kHidden, View()), "nothing counted yet\n");
  EXPECT_EQ("\n" + RenderCounters(SomeCounters(), ZeroRows::kHidden, View()), R"(
REASON         SIDE     PACKETS      BYTES  MEANING
media_relayed  outside   12,345  1,234,500  meaning
no_pinhole     outside        5        500  meaning
sip_screened   agent          1        100  meaning
)");
  EXPECT_THAT(RenderCounters(SomeCounters(), ZeroRows::kShown, View()),
              HasSubstr("no_pinhole     inside         0"));
}

TEST(CounterView, DropsAreRedOnceThereAreSome) {
  const std::string shown =
      RenderCounters(SomeCounters(), ZeroRows::kShown, View({.colour = true}));
  EXPECT_THAT(shown, HasSubstr("\x1b[31mno_pinhole\x1b[0m     \x1b[31moutside"));
  EXPECT_THAT(shown, HasSubstr("\x1b[2mno_pinhole\x1b[0m     \x1b[2minside"));
  EXPECT_THAT(shown, HasSubstr("\nmedia_relayed"));
}

TEST(CounterView, RatesBetweenTwoReadings) {
  const v1::GetCountersResponse before = SomeCounters();
  v1::GetCountersResponse now = before;
  now.mutable_counters(0)->set_packets(12'345 + 2000);
  now.mutable_counters(0)->set_bytes(1'234'500 + 200'000);
  now.mutable_counters(1)->set_packets(6);
  now.mutable_counters(3)->set_packets(0);  // a new agent counts from zero
  v1::Counter* fresh = now.add_counters();
  fresh->set_name("fresh");
  fresh->set_packets(40);
  const std::vector<CounterRate> rates = Rates(before, now, 2.0);
  ASSERT_EQ(rates.size(), 5);
  EXPECT_DOUBLE_EQ(rates[0].packets_per_second, 1000);
  EXPECT_DOUBLE_EQ(rates[0].bytes_per_second, 100'000);
  EXPECT_DOUBLE_EQ(rates[1].packets_per_second, 0.5);
  EXPECT_DOUBLE_EQ(rates[2].packets_per_second, 0);
  EXPECT_DOUBLE_EQ(rates[3].packets_per_second, 0);
  EXPECT_DOUBLE_EQ(rates[4].packets_per_second, 20);
  EXPECT_EQ("\n" + RenderRates(rates, ZeroRows::kHidden, View()), R"(
REASON         SIDE     PACKETS/S  BYTES/S  PACKETS  MEANING
media_relayed  outside      1,000  100,000   14,345  meaning
no_pinhole     outside        0.5        0        6  meaning
fresh          agent           20        0       40
)");
  const auto json = nlohmann::json::parse(RatesJson(rates, kNow));
  EXPECT_EQ(json["unix_ms"], kNow);
  ASSERT_EQ(json["rates"].size(), 5);
  EXPECT_EQ(json["rates"][1]["name"], "no_pinhole");
  EXPECT_EQ(json["rates"][1]["side"], "SIDE_OUTSIDE");
  EXPECT_EQ(json["rates"][1]["packets_per_second"], 0.5);
}

TEST(EventView, VerdictsAndLosses) {
  v1::Event event;
  event.set_unix_us(kNow * 1000 + 123'456);
  event.set_from(v1::SIDE_OUTSIDE);
  event.set_kind("sip");
  event.set_what("INVITE sip:bob@example.org");
  event.set_verdict("answered 403");
  event.set_why("spam");
  event.set_call("3f2a");
  // clang-format off
  EXPECT_EQ(RenderEvent(event, View()),
            "22:15:00.123456  outside  answered 403      INVITE sip:bob@example.org                    spam  call 3f2a\n");
  // clang-format on
  event.set_lost(1234);
  EXPECT_THAT(RenderEvent(event, View()),
              testing::StartsWith("── 1,234 events lost: this reader was too slow ──\n22:15:00"));
  v1::Event only_loss;
  only_loss.set_lost(1);
  EXPECT_EQ(RenderEvent(only_loss, View()), "── 1 event lost: this reader was too slow ──\n");
}

TEST(DirectoryView, UsersAndSpam) {
  EXPECT_EQ(RenderUsers({}, View()), "no users\n");
  EXPECT_EQ(RenderSpam({}, View()), "no spam entries\n");
  v1::ListUsersResponse users;
  v1::User* alice = users.add_users();
  alice->set_name("alice");
  alice->add_uris("sip:alice@example.org");
  alice->add_uris("sip:a@example.org");
  alice->set_incoming(v1::INCOMING_CALLS_FORWARD);
  alice->set_forward_to("sip:bob@example.org");
  v1::User* bob = users.add_users();
  bob->set_name("bob");
  bob->set_incoming(v1::INCOMING_CALLS_REFUSE);
  bob->set_refuse_reason("Not\x1bnow");
  // clang-format off
  EXPECT_EQ("\n" + RenderUsers(users, View()), R"(
NAME   INCOMING  HOW                     URIS                                      LOCATIONS
alice  forward   to sip:bob@example.org  sip:alice@example.org, sip:a@example.org
bob    refuse    with 403 Not\x1Bnow
)");
  // clang-format on
  EXPECT_EQ("\n" + RenderUser(*alice, View()), R"(
user alice
  URIs       sip:alice@example.org, sip:a@example.org
  locations  -
  incoming   forward to sip:bob@example.org
)");
  v1::ListSpamResponse spam;
  v1::SpamEntry* entry = spam.add_entries();
  entry->set_id(12);
  entry->set_kind(v1::SPAM_KIND_PREFIX);
  entry->set_value("203.0.113.0/24");
  entry->set_hits(1000);
  EXPECT_EQ("\n" + RenderSpam(spam, View()), R"(
ID  KIND    VALUE           PROTECTS    HITS  COMMENT
12  prefix  203.0.113.0/24  everybody  1,000
)");
}

TEST(PkiView, SaysWhatWasMadeAndWhereItGoes) {
  PkiPlan plan;
  plan.directory = "/etc/stem/pki";
  plan.leaves.push_back(
      {.peer = {Role::kSecurityManager, "sm1"}, .dns_names = {}, .addresses = {}});
  plan.leaves.push_back({.peer = {Role::kFirewall, "fw1"}, .dns_names = {}, .addresses = {}});
  PkiReport report;
  report.made = {"/etc/stem/pki/firewall-fw1"};
  report.kept = {"/etc/stem/pki/security-manager-sm1"};
  EXPECT_EQ("\n" + RenderPki(plan, report, Screen()), R"(
/etc/stem/pki
├── ca                    kept     stays here: whoever reads ca.key can make certificates
│   ├── ca.crt
│   └── ca.key
├── security-manager-sm1  kept     to the host of stem-sm, its `tls:` section
│   ├── tls.crt
│   ├── tls.key
│   └── ca.crt
└── firewall-fw1          made     to the host of stem-agent, its `security_manager: tls:` section
    ├── tls.crt
    ├── tls.key
    └── ca.crt
)");
  const auto json = nlohmann::json::parse(PkiJson(plan, report));
  EXPECT_EQ(json["made_ca"], false);
  EXPECT_EQ(json["made"][0], "/etc/stem/pki/firewall-fw1");
}

TEST(JsonText, NamesAreThoseOfTheProtoAndNothingIsLeftOut) {
  v1::ListCallsResponse calls;
  const auto empty = JsonText(calls, JsonLayout::kLine);
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(*empty, "{\"calls\":[]}\n");
  calls.add_calls()->set_started_unix_ms(kNow);
  const auto text = JsonText(calls, JsonLayout::kDocument);
  ASSERT_TRUE(text.ok());
  const auto json = nlohmann::json::parse(*text);
  EXPECT_EQ(json["calls"][0]["started_unix_ms"], "1700000100000");
  EXPECT_EQ(json["calls"][0]["answered_unix_ms"], "0");
  EXPECT_EQ(json["calls"][0]["origin"], "SIDE_UNSPECIFIED");
  EXPECT_EQ(json["calls"][0]["adopted"], false);
  EXPECT_FALSE(json["calls"][0].contains("caller_signalling"));
}

}  // namespace
}  // namespace stem::ctl
