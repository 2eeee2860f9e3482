// SPDX-License-Identifier: Apache-2.0
// The compiled tables, searched by the kernel's code, against the plain meaning of the list.
#include "agent/pattern_matcher/rule_compiler.h"

#include <gmock/gmock.h>
#include <netinet/in.h>

#include <ctime>

#include "fmt/format.h"
#include "tests/rules/compiled_matcher.h"
#include "tests/rules/rule_generator.h"

namespace stem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const CompiledRules> Compile(const std::vector<Rule>& rules) {
  const auto compiled = CompileRules(rules, RuleLimits());
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.value_or(nullptr);
}

std::string Show(const RuleSubject& s) {
  return fmt::format("v{} side {} {}:{} > {}:{} protocol {}{} flags {:#x} type {}", s.version,
                     static_cast<int>(s.from), s.source.ToString(), s.source_port,
                     s.destination.ToString(), s.destination_port, s.protocol,
                     s.transport ? "" : " (no header)", s.tcp_flags, s.icmp_type);
}

// Every verdict as the list says, and every rule that matched before it decided has counted.
void ExpectSameVerdicts(const std::vector<Rule>& rules, int packets, Chance& chance) {
  const auto compiled = Compile(rules);
  ASSERT_NE(compiled, nullptr);
  CompiledMatcher matcher(*compiled);
  std::vector<uint64_t> counted(rules.size());
  for (int i = 0; i < packets; ++i) {
    const RuleSubject subject = NearSubject(rules, chance);
    const Rule* wanted = FirstMatch(rules, subject);
    const user_space_match found = matcher.Match(subject);
    const uint32_t place = wanted == nullptr ? 0 : static_cast<uint32_t>(wanted - &rules[0]) + 1;
    ASSERT_EQ(found.rule, place) << Show(subject) << "\n"
                                 << (found.rule == 0 ? "" : ToYaml(rules[found.rule - 1]));
    ASSERT_EQ(found.action, wanted == nullptr ? STEM_RULE_END : wanted->action);
    for (size_t rule = 0; rule < (place == 0 ? rules.size() : place); ++rule) {
      if (Matches(rules[rule], subject)) ++counted[rule];
    }
  }
  for (size_t rule = 0; rule < rules.size(); ++rule) {
    ASSERT_EQ(matcher.packets(rule), counted[rule]) << rules[rule].name;
  }
}

TEST(RuleCompiler, SmallCrowdedSetsJudgeAsTheListDoes) {
  Chance chance(1);
  for (int set = 0; set < 1500; ++set) {
    SCOPED_TRACE(fmt::format("set {}", set));
    ExpectSameVerdicts(CrowdedRules(1 + chance() % 40, chance), 200, chance);
    if (HasFatalFailure()) return;
  }
}

TEST(RuleCompiler, SetsOfSeveralWordsAndAggregatesJudgeAsTheListDoes) {
  Chance chance(2);
  for (const size_t size : {63, 64, 65, 127, 128, 500, 4095, 4096, 4097, 9000}) {
    SCOPED_TRACE(fmt::format("{} rules", size));
    ExpectSameVerdicts(CrowdedRules(size, chance), 400, chance);
    ExpectSameVerdicts(ClassBenchLikeRules(size, chance()), 400, chance);
    if (HasFatalFailure()) return;
  }
}

TEST(RuleCompiler, NoRulesMatchNothing) {
  const auto compiled = Compile({});
  ASSERT_NE(compiled, nullptr);
  EXPECT_EQ(CompiledMatcher(*compiled).Match(RuleSubject{}).action, STEM_RULE_END);
}

TEST(RuleCompiler, ADimensionInWhichNoRuleDiffersIsLeftOut) {
  Rule one, other;
  one.name = "one";
  one.action = STEM_RULE_DENY;
  one.source = *Prefix::Parse("192.0.2.0/24");
  other.name = "other";
  other.action = STEM_RULE_ALLOW;
  auto compiled = Compile({one, other});
  ASSERT_NE(compiled, nullptr);
  EXPECT_THAT(compiled->used, ElementsAre(true, false, false, false, true));
  other.destination_ports = {0, 1023};
  compiled = Compile({one, other});
  ASSERT_NE(compiled, nullptr);
  EXPECT_THAT(compiled->used, ElementsAre(true, false, false, true, true));
}

// Rules of a source each, and 16 destinations among them: many clients, few servers.
std::vector<Rule> RulesOfFewServers(size_t count) {
  std::vector<Rule> rules(count);
  for (size_t i = 0; i < count; ++i) {
    rules[i].name = fmt::format("rule-{}", i + 1);
    rules[i].action = STEM_RULE_DENY;
    rules[i].source = *Prefix::Parse(fmt::format("10.{}.{}.0/24", i / 256, i % 256));
    rules[i].destination = *Prefix::Parse(fmt::format("192.0.2.{}", i % 16));
    rules[i].protocol = IPPROTO_TCP;
  }
  return rules;
}

TEST(RuleCompiler, RowsAreShortWhicheverFieldTheRulesShare) {
  // A row for each client, with one word after its head and one aggregate; those of 16 servers, or
  // of 16 ports, have the two words of their 128 rules; what allows everything has all 32.
  const size_t of_clients = size_t{3} * 2048, of_servers = size_t{4} * 16, rest = 200;
  Chance chance(8);
  std::vector<Rule> rules = RulesOfFewServers(2048);
  auto compiled = Compile(rules);
  ASSERT_NE(compiled, nullptr);
  EXPECT_LE(compiled->chunks.words(), of_clients + of_servers + rest) << "destinations shared";
  ExpectSameVerdicts(rules, 100, chance);

  for (Rule& rule : rules) std::swap(rule.source, rule.destination);
  compiled = Compile(rules);
  ASSERT_NE(compiled, nullptr);
  EXPECT_LE(compiled->chunks.words(), of_clients + of_servers + rest) << "sources shared";
  ExpectSameVerdicts(rules, 100, chance);

  for (size_t i = 0; i < rules.size(); ++i) {
    const auto port = static_cast<uint16_t>(1000 + i % 16);
    rules[i].source = rules[i].destination;
    rules[i].destination_ports = {port, port};
  }
  compiled = Compile(rules);
  ASSERT_NE(compiled, nullptr);
  EXPECT_LE(compiled->chunks.words(), 2 * of_clients + of_servers + rest) << "ports shared";
  ExpectSameVerdicts(rules, 100, chance);
}

TEST(RuleCompiler, TheLargestSetJudgesAsTheListDoes) {
  Chance chance(9);
  ExpectSameVerdicts(RulesOfFewServers(STEM_MAX_RULES), 50, chance);
}

TEST(RuleEntry, HasRoomForTheHighestPlaceAndSlotAndIsInTheOrderOfTheList) {
  const uint32_t last_place = STEM_MAX_RULES - 1, last_slot = STEM_RULE_SLOTS - 1;
  const uint32_t last = RuleEntry(last_place, last_slot, STEM_RULE_OBSERVE);
  EXPECT_EQ(stem_entry_slot(last), last_slot);
  EXPECT_EQ(last & STEM_ENTRY_ACTION_MASK, uint32_t{STEM_RULE_OBSERVE});
  EXPECT_LT(last, STEM_NO_ENTRY);
  EXPECT_LT(RuleEntry(last_place - 1, last_slot, STEM_RULE_OBSERVE),
            RuleEntry(last_place, 0, STEM_RULE_ALLOW));
}

TEST(RuleCompiler, LookupsDoNotDependOnTheNumberOfRules) {
  Chance chance(3);
  for (const size_t size : {10, 1000, 10000}) {
    const std::vector<Rule> rules = ClassBenchLikeRules(size, 4);
    const auto compiled = Compile(rules);
    ASSERT_NE(compiled, nullptr);
    CompiledMatcher matcher(*compiled);
    for (int i = 0; i < 1000; ++i) {
      const uint64_t before = matcher.lookups();
      const RuleSubject subject = SubjectOf(rules[chance() % size], chance);
      matcher.Match(subject);
      // Two roots, three tables, five rows, the rule and its counter; and the nodes of the tries.
      const uint64_t nodes = subject.version == 4 ? 2 * 2 : 2 * 14;
      EXPECT_LE(matcher.lookups() - before, 12 + nodes);
    }
  }
}

TEST(RuleCompiler, TenThousandRulesFitTheStatedTimeAndMemory) {
  const std::vector<Rule> rules = ClassBenchLikeRules(10000, 5);
  const std::clock_t started = std::clock();  // of this process: a busy machine changes nothing
  const auto compiled = Compile(rules);
  const double seconds = static_cast<double>(std::clock() - started) / CLOCKS_PER_SEC;
  ASSERT_NE(compiled, nullptr);
  EXPECT_LT(seconds, 5.0) << "also under sanitizers";
  EXPECT_LT(compiled->KernelBytes(), size_t{64} << 20);
  RecordProperty("milliseconds", static_cast<int>(seconds * 1000));
  RecordProperty("kernel_bytes", static_cast<int>(compiled->KernelBytes()));
}

TEST(RuleCompiler, SaysWhichLimitIsInTheWay) {
  const std::vector<Rule> rules = ClassBenchLikeRules(2000, 6);
  auto refused = CompileRules(rules, {.rules = 1999});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("limits.rules allows 1999"));
  refused = CompileRules(rules, {.kernel_bytes = 1 << 20});
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("MiB of kernel memory"));
  std::vector<Rule> observers(STEM_MAX_OBSERVERS + 1);
  for (Rule& rule : observers) rule.action = STEM_RULE_OBSERVE;
  refused = CompileRules(observers, RuleLimits());
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("65 rules with action observe"));
}

}  // namespace
}  // namespace stem
