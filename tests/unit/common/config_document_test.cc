// SPDX-License-Identifier: Apache-2.0
// The structure of a configuration: keys, sections, lists, and what YAML itself allows.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/config/document.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/config_text.h"

namespace stem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(ConfigDocument, ReadsValuesAndKeepsDefaults) {
  std::string name;
  int ports = 7;
  std::chrono::nanoseconds idle = 5s;
  std::vector<std::string> seen;
  EXPECT_EQ(ErrorsOf(R"(# comment
name: edge
media:
  idle_timeout: 90s
interfaces:
  - {name: eth0}
  - name: eth1
)",
                     [&](const ConfigSection& root) {
                       root.Required("name", name, Name{});
                       root.Optional("ports", ports, Integer{1, 9});
                       root.Section("media").Optional("idle_timeout", idle, Duration{});
                       for (const ConfigSection& item : root.List("interfaces", Count{2, 2})) {
                         item.Required("name", seen.emplace_back(), Name{});
                       }
                     }),
            "");
  EXPECT_EQ(name, "edge");
  EXPECT_EQ(ports, 7);
  EXPECT_EQ(idle, 90s);
  EXPECT_THAT(seen, ElementsAre("eth0", "eth1"));
}

TEST(ConfigDocument, ReportsEveryErrorInTheOrderOfTheFile) {
  int first = 0;
  int second = 0;
  bool third = false;
  EXPECT_EQ(ErrorsOf("third: 3\nsecond: x\nother: 1\n",
                     [&](const ConfigSection& root) {
                       root.Required("first", first, Integer{1, 2});
                       root.Required("second", second, Integer{1, 2});
                       root.Optional("third", third);
                     }),
            "t.yaml:1:1: first: required key is missing; write a whole number from 1 to 2\n"
            "t.yaml:1:8: third: '3' is not a boolean; write true or false\n"
            "t.yaml:2:9: second: 'x' is not a whole number; write a whole number from 1 to 2\n"
            "t.yaml:3:1: other: unknown key; the keys here are: first, second, third");
}

TEST(ConfigDocument, SuggestsTheKeyThatWasMeant) {
  std::chrono::nanoseconds idle{};
  EXPECT_EQ(ErrorsOf("media:\n  idle_timout: 5s\n  volume: 3\n",
                     [&](const ConfigSection& root) {
                       root.Section("media").Optional("idle_timeout", idle, Duration{});
                     }),
            "t.yaml:2:3: media.idle_timout: unknown key; did you mean 'idle_timeout'?\n"
            "t.yaml:3:3: media.volume: unknown key; the keys here are: idle_timeout");
}

TEST(ConfigDocument, UnknownKeysInsideListsAndUnreadSections) {
  EXPECT_EQ(ErrorsOf("rules:\n  - id: 1\n    cost: 2\nlost: {a: 1}\n",
                     [&](const ConfigSection& root) {
                       int id = 0;
                       for (const ConfigSection& rule : root.List("rules")) {
                         rule.Required("id", id, Integer{});
                       }
                     }),
            "t.yaml:3:5: rules[0].cost: unknown key; the keys here are: id\n"
            "t.yaml:4:1: lost: unknown key; the keys here are: rules");
}

TEST(ConfigDocument, RefusesDuplicateKeysAtEveryLevel) {
  int a = 0;
  EXPECT_EQ(ErrorsOf("a: 1\nb: {a: 1, a: 2}\na: 3\n",
                     [&](const ConfigSection& root) {
                       root.Required("a", a, Integer{});
                       root.Section("b").Required("a", a, Integer{});
                     }),
            "t.yaml:2:11: b.a: this key was given before, at line 2; keep one of them\n"
            "t.yaml:3:1: a: this key was given before, at line 1; keep one of them");
}

TEST(ConfigDocument, MissingSectionReportsEachRequiredKeyOfIt) {
  std::string text;
  const auto read = [&](const ConfigSection& root) {
    root.Optional("x", text, Text{});
    const ConfigSection tls = root.Section("tls");
    tls.Required("key", text, FilePath{});
    tls.Required("certificate", text, FilePath{});
  };
  EXPECT_EQ(ErrorsOf("x: y\n", read),
            "t.yaml:1:1: tls.key: required key is missing; write the path of a file\n"
            "t.yaml:1:1: tls.certificate: required key is missing; write the path of a file");
  EXPECT_EQ(ErrorsOf("x: y\ntls:\n", read),
            "t.yaml:2:1: tls.key: required key is missing; write the path of a file\n"
            "t.yaml:2:1: tls.certificate: required key is missing; write the path of a file");
  EXPECT_EQ(ErrorsOf("x: y\ntls: none\n", read),
            "t.yaml:2:6: tls: 'none' is a single value; write a map of keys\n"
            "t.yaml:2:6: tls.key: required key is missing; write the path of a file\n"
            "t.yaml:2:6: tls.certificate: required key is missing; write the path of a file");
}

TEST(ConfigDocument, SectionOfWrongForm) {
  EXPECT_EQ(ErrorsOf("tls: [1]\n", [](const ConfigSection& root) { root.Section("tls"); }),
            "t.yaml:1:6: tls: is a list; write a map of keys");
  EXPECT_EQ(ErrorsOf("- a\n", [](const ConfigSection&) {}),
            "t.yaml:1:1: the file is not a map of keys; write 'key: value' lines");
  EXPECT_EQ(ErrorsOf("just text\n", [](const ConfigSection&) {}),
            "t.yaml:1:1: the file is not a map of keys; write 'key: value' lines");
}

TEST(ConfigDocument, ListOfWrongFormOrLength) {
  const auto read = [](const ConfigSection& root) { root.List("rules", Count{1, 2}); };
  EXPECT_EQ(ErrorsOf("rules: 5\n", read),
            "t.yaml:1:8: rules: '5' is a single value; write a list of 1 to 2");
  EXPECT_EQ(ErrorsOf("rules: []\n", read),
            "t.yaml:1:8: rules: the list has 0 items; write a list of 1 to 2");
  EXPECT_EQ(ErrorsOf("rules: [{}, {}, {}]\n", read),
            "t.yaml:1:8: rules: the list has 3 items; write a list of 1 to 2");
  EXPECT_EQ(ErrorsOf("rules: [{}, 7]\n", read),
            "t.yaml:1:13: rules[1]: '7' is a single value; write a map of keys");
  EXPECT_EQ(ErrorsOf("rules: {a: 1}\n", read),
            "t.yaml:1:8: rules: is a map of keys; write a list of 1 to 2");
  EXPECT_EQ(ErrorsOf("", read),
            "t.yaml:1:1: rules: required key is missing; write a list of 1 to 2");
}

TEST(ConfigDocument, OptionalListMayBeAbsentOrEmpty) {
  const auto read = [](const ConfigSection& root) { EXPECT_TRUE(root.List("rules").empty()); };
  EXPECT_EQ(ErrorsOf("", read), "");
  EXPECT_EQ(ErrorsOf("rules:\n", read), "");
  EXPECT_EQ(ErrorsOf("rules: []\n", read), "");
}

TEST(ConfigDocument, OptionalKeyWithoutValueIsAnError) {
  int n = 3;
  const auto read = [&](const ConfigSection& root) { root.Optional("n", n, Integer{1, 5}); };
  EXPECT_EQ(ErrorsOf("n:\n", read),
            "t.yaml:1:1: n: has no value; write a whole number from 1 to 5");
  EXPECT_EQ(ErrorsOf("n: ~\n", read),
            "t.yaml:1:1: n: has no value; write a whole number from 1 to 5");
  EXPECT_EQ(n, 3);
}

TEST(ConfigDocument, SemanticErrorsAtTheirPlace) {
  EXPECT_EQ(ErrorsOf("interfaces:\n  - name: eth0\n  - name: eth0\n",
                     [](const ConfigSection& root) {
                       const auto items = root.List("interfaces");
                       std::string name;
                       for (const ConfigSection& item : items) item.Required("name", name, Name{});
                       items[1].At("name").Error("eth0 is already interfaces[0]", "another name");
                       items[0].At("side").Error("no side", "one");
                       items[0].AsValue().Error("incomplete", "more");
                     }),
            "t.yaml:2:5: interfaces[0].side: no side; write one\n"
            "t.yaml:2:5: interfaces[0]: incomplete; write more\n"
            "t.yaml:3:11: interfaces[1].name: eth0 is already interfaces[0]; write another name");
}

TEST(ConfigDocument, SyntaxErrorsOfYaml) {
  const auto read = [](const ConfigSection&) {};
  EXPECT_EQ(ErrorsOf("a: 1\n\tb: 2\n", read),
            "t.yaml:2:1: not YAML: illegal tab when looking for indentation; indent with spaces");
  EXPECT_EQ(ErrorsOf("a: [1, 2\nb: 3\n", read),
            "t.yaml:2:2: not YAML: end of sequence flow not found; close the list with ]");
  EXPECT_EQ(ErrorsOf("a: {b: 1\n", read),
            "t.yaml:2:1: not YAML: end of map flow not found; close the map with }");
  EXPECT_EQ(ErrorsOf("a: b: c\n", read),
            "t.yaml:1:5: not YAML: illegal map value; "
            "check indentation, colons and quotes here and on the line above");
}

TEST(ConfigDocument, QuotesMustClose) {
  std::string text;
  const auto read = [&](const ConfigSection& root) { root.Required("a", text, Text{}); };
  EXPECT_EQ(ErrorsOf("a: 'x\n", read),
            "t.yaml:1:4: not YAML: this quote is never closed; close it");
  EXPECT_EQ(ErrorsOf("a: 'it''s\n", read),
            "t.yaml:1:4: not YAML: this quote is never closed; close it");
  EXPECT_EQ(ErrorsOf("a: \"x\\\"\n", read),
            "t.yaml:1:4: not YAML: this quote is never closed; close it");
  EXPECT_EQ(ErrorsOf("a: 'it''s'\n", read), "");
  EXPECT_EQ(text, "it's");
  EXPECT_EQ(ErrorsOf("\xef\xbb\xbf"
                     "a: \"x\\\"y\"\n",
                     read),
            "");
  EXPECT_EQ(text, "x\"y");
  EXPECT_EQ(ErrorsOf("# \xc3\xa4\xe2\x82\xac 'one\r\n\r\na: 'two'\r\n", read), "");
  EXPECT_EQ(text, "two");
  EXPECT_EQ(ErrorsOf("# \xc3\xa4\xe2\x82\xac 'one'\r\n\r\na: 'two\r\n", read),
            "t.yaml:3:4: not YAML: this quote is never closed; close it");
}

TEST(ConfigDocument, RefusesWhatMakesAFileMeanSomethingElse) {
  int a = 0;
  int b = 0;
  const auto read = [&](const ConfigSection& root) {
    root.Optional("a", a, Integer{});
    root.Optional("b", b, Integer{});
  };
  EXPECT_EQ(ErrorsOf("a: &x 1\nb: *x\n", read),
            "t.yaml:1:4: YAML anchors are not supported; remove the &name\n"
            "t.yaml:2:1: b: has no value; write a whole number, at least 0\n"
            "t.yaml:2:4: b: YAML aliases are not supported; write the value out");
  EXPECT_EQ(ErrorsOf("a: !!int 1\n", read),
            "t.yaml:1:4: a: YAML tags are not supported; remove the !tag\n"
            "t.yaml:1:4: a: \"1\" is in quotes, which makes it text; "
            "write a whole number, at least 0, without quotes");
  EXPECT_EQ(ErrorsOf("a: 1\n---\nb: 2\n", read),
            "t.yaml:2:1: a second YAML document begins; write one per file");
  EXPECT_EQ(ErrorsOf("[1, 2]: 3\na: 1\n", read),
            "t.yaml:1:1: a key must be text; write name: value");
}

TEST(ConfigDocument, RefusesAliasLoopsAndDeepNesting) {
  const auto read = [](const ConfigSection&) {};
  EXPECT_THAT(ErrorsOf("a: &x [*x]\n", read), HasSubstr("aliases are not supported"));
  const std::string deep = "a: " + std::string(60, '[') + std::string(60, ']') + "\n";
  EXPECT_THAT(ErrorsOf(deep, read), HasSubstr("nested deeper than 32 levels"));
}

TEST(ConfigDocument, FinishSaysThingsOnce) {
  auto document = ConfigDocument::Parse("x: 1\n", "t.yaml");
  ASSERT_TRUE(document.ok());
  document->root();
  const absl::Status first = document->Finish();
  EXPECT_EQ(first.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(first.message(), "t.yaml:1:1: x: unknown key; nothing can be set here, remove it");
  EXPECT_EQ(document->Finish(), first);
}

TEST(ConfigDocument, LoadNamesTheFile) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("stem_config_" + std::to_string(getpid()));
  const auto missing = ConfigDocument::Load(path);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(path));

  std::ofstream(path) << "cert: tls/server.crt\nkey: /abs/server.key\n";
  auto document = ConfigDocument::Load(path);
  ASSERT_TRUE(document.ok()) << document.status();
  std::string certificate;
  std::string key;
  document->root().Required("cert", certificate, FilePath{});
  document->root().Required("key", key, FilePath{});
  EXPECT_TRUE(document->Finish().ok());
  EXPECT_EQ(certificate, std::filesystem::temp_directory_path() / "tls/server.crt");
  EXPECT_EQ(key, "/abs/server.key");
  std::filesystem::remove(path);

  EXPECT_EQ(ConfigDocument::Load("/").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace stem
