// SPDX-License-Identifier: Apache-2.0
// A YAML file as it was written: every key, also the repeated ones, quotes and positions kept.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace stem {

struct ConfigPosition {
  int line = 1;    // from 1
  int column = 1;  // from 1, in bytes
};

struct ConfigNode {
  enum class Form { kAbsent, kNull, kPlain, kQuoted, kList, kMap };
  struct Entry {
    std::string key;
    ConfigPosition position;
    ConfigNode* value = nullptr;
  };

  Form form = Form::kAbsent;
  std::string text;                // kPlain, kQuoted
  std::vector<ConfigNode*> items;  // kList
  std::vector<Entry> entries;      // kMap, in the order of the file
  ConfigPosition position;
  std::string path;                          // "signalling.ports[1]"; empty for the root
  std::set<std::string, std::less<>> known;  // keys a reader has asked for, kMap
  bool read_as_section = false;
};

struct ConfigError {
  ConfigPosition position;
  std::string path;
  std::string text;
};

// Owns the nodes of one file, absent ones that were asked for included; addresses are stable.
class ConfigTree {
 public:
  explicit ConfigTree(std::string file) : file_(std::move(file)) {}

  // Parses `yaml` and returns the root (kNull for an empty file), or nullptr after adding the
  // error. YAML's anchors, aliases, tags and second documents are errors: a configuration needs
  // none of them, and each can make a file mean something else than it shows.
  ConfigNode* Parse(std::string_view yaml);

  ConfigNode* NewNode(ConfigNode::Form form, ConfigPosition position);
  void AddError(ConfigPosition position, std::string path, std::string text);

  const std::string& file() const { return file_; }
  const std::deque<std::unique_ptr<ConfigNode>>& nodes() const { return nodes_; }
  // All errors in the order of the file, each "file:line:column: path: text".
  std::vector<std::string> Report() const;

 private:
  std::string file_;
  std::deque<std::unique_ptr<ConfigNode>> nodes_;
  std::vector<ConfigError> errors_;
};

}  // namespace stem
