// SPDX-License-Identifier: Apache-2.0
// The torture messages of RFC 4475 and the IPv6 messages of RFC 5118: what is valid must be able to
// pass, what is not must be refused or dropped. They are read from the folder the environment
// variable STEM_CORPORA names, or from the one beside the project; without them the tests skip.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "agent/protocol_parser/call_monitor.h"
#include "agent/protocol_parser/screening.h"
#include "tests/unit/protocol_parser/fakes.h"

namespace stem::test {
namespace {

namespace fs = std::filesystem;

fs::path Corpora() {
  const char* named = std::getenv("STEM_CORPORA");
  return named != nullptr ? fs::path(named) : fs::path(STEM_DEFAULT_CORPORA);
}

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

struct Expected {
  std::string name;
  std::string kind;     // VALID, INVALID, WELLFORMED, SEMANTIC, SEMANTIC-REJECT
  std::string outcome;  // the RFC's words
};

// EXPECTED.tsv: name, section, class, rfc_outcome, what bare osip2 says.
std::vector<Expected> ReadExpected(const fs::path& path) {
  std::vector<Expected> all;
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);  // titles
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string name, section, kind, outcome;
    std::getline(fields, name, '\t');
    std::getline(fields, section, '\t');
    std::getline(fields, kind, '\t');
    std::getline(fields, outcome, '\t');
    all.push_back({name, kind, outcome});
  }
  return all;
}

// Sends `message` from both sides to a monitor whose security manager accepts all. True when any
// of it came through.
bool Forwarded(const std::string& message) {
  Log log;
  FakeSink sink(log);
  FakePinholes pinholes(log);
  FakeCallStore store;
  ScriptedDecisions decisions;
  CallMonitor monitor(CallMonitorConfig(),
                      {sink, pinholes, store, decisions, [] { return uint64_t{1'000'000'000}; }});
  const Endpoint outside = *Endpoint::Parse("203.0.113.10:5060");
  const Endpoint inside = *Endpoint::Parse("198.51.100.20:5060");
  monitor.Handle({outside, inside, STEM_SIDE_OUTSIDE, message, "", 0});
  while (!decisions.waiting.empty()) decisions.Accept();
  monitor.Handle({inside, outside, STEM_SIDE_INSIDE, message, "", 0});
  return !sink.forwarded.empty();
}

class SipCorpora : public testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(Corpora() / "rfc4475" / "EXPECTED.tsv")) {
      GTEST_SKIP() << "no corpora in " << Corpora() << " (set STEM_CORPORA)";
    }
  }
};

TEST_F(SipCorpora, Rfc4475) {
  const fs::path folder = Corpora() / "rfc4475";
  int judged = 0;
  for (const Expected& expected : ReadExpected(folder / "EXPECTED.tsv")) {
    SCOPED_TRACE(expected.name + ": " + expected.outcome);
    const std::string message = ReadFile(folder / (expected.name + ".dat"));
    ASSERT_FALSE(message.empty());
    const Screened screened = Screen(message, CallLimits());
    const bool forwarded = Forwarded(message);
    ++judged;
    const bool request = message.rfind("SIP/", 0) != 0;
    if (expected.kind == "VALID" || expected.kind == "WELLFORMED") {
      EXPECT_EQ(screened.outcome, Screened::Outcome::kOk) << screened.why;
      // Responses have no request here, in-dialog requests no call.
      const bool stands_alone = request && screened.outcome == Screened::Outcome::kOk &&
                                screened.message->to().tag.empty();
      EXPECT_TRUE(forwarded || !stands_alone);
    } else if (expected.kind == "SEMANTIC" ||
               expected.outcome.find("SHOULD NOT") != std::string::npos) {
      // Both are right; not to break is what is asked.
    } else {
      EXPECT_NE(screened.outcome, Screened::Outcome::kOk);
      EXPECT_FALSE(forwarded);
      if (!request) {
        EXPECT_EQ(screened.outcome, Screened::Outcome::kDrop);
      }
      if (expected.outcome.rfind("505", 0) == 0) {
        EXPECT_EQ(screened.status, 505);
      }
      if (expected.outcome.rfind("400", 0) == 0) {
        EXPECT_EQ(screened.status, 400);
      }
    }
  }
  EXPECT_EQ(judged, 49);
}

TEST_F(SipCorpora, Rfc5118) {
  int judged = 0;
  for (const auto& entry : fs::directory_iterator(Corpora() / "rfc5118-wire")) {
    if (entry.path().extension() != ".sip") continue;
    SCOPED_TRACE(entry.path().filename());
    const std::string message = ReadFile(entry.path());
    const Screened screened = Screen(message, CallLimits());
    ++judged;
    if (entry.path().stem() == "ipv6-bad") {
      EXPECT_EQ(screened.outcome, Screened::Outcome::kRefuse);
      EXPECT_EQ(screened.status, 400);
      EXPECT_FALSE(Forwarded(message));
    } else {
      EXPECT_EQ(screened.outcome, Screened::Outcome::kOk) << screened.why;
      if (screened.outcome == Screened::Outcome::kOk && screened.message->to().tag.empty()) {
        EXPECT_TRUE(Forwarded(message));
      }
    }
  }
  EXPECT_EQ(judged, 12);
}

// Every message of both corpora cut short at every byte: nothing breaks.
TEST_F(SipCorpora, CutShortAnywhere) {
  for (const char* folder : {"rfc4475", "rfc5118-wire"}) {
    for (const auto& entry : fs::directory_iterator(Corpora() / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".dat" && extension != ".sip") continue;
      const std::string message = ReadFile(entry.path());
      for (size_t length = 0; length < message.size(); length += 7) {
        const std::string cut = message.substr(0, length);
        const Screened screened = Screen(cut, CallLimits());
        if (screened.outcome == Screened::Outcome::kOk) {
          EXPECT_LE(screened.end, cut.size());
        }
      }
    }
  }
}

}  // namespace
}  // namespace stem::test
