// SPDX-License-Identifier: Apache-2.0
#include "common/config/tree.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "fmt/format.h"
#include "yaml-cpp/eventhandler.h"
#include "yaml-cpp/exceptions.h"
#include "yaml-cpp/parser.h"

namespace stem {
namespace {

constexpr int kMaxDepth = 32;  // of nested lists and maps; no configuration of ours has more than 5

ConfigPosition PositionOf(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

// Does a quote open at byte `start` of `yaml` that no later one closes?
bool HasOpenQuote(std::string_view yaml, size_t start) {
  if (start >= yaml.size() || (yaml[start] != '\'' && yaml[start] != '"')) return false;
  const char quote = yaml[start];
  for (size_t i = start + 1; i < yaml.size(); ++i) {
    if (quote == '"' && yaml[i] == '\\') {
      ++i;
    } else if (quote == '\'' && yaml.substr(i, 2) == "''") {
      ++i;
    } else if (yaml[i] == quote) {
      return false;
    }
  }
  return true;
}

// Builds the tree from the parser's events. They carry what yaml-cpp's own Node loses: the place of
// every key, repeated keys, aliases.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(ConfigTree* tree, std::string_view yaml) : tree_(tree), yaml_(yaml) {}

  ConfigNode* root() const { return root_; }
  int documents() const { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) {
      tree_->AddError(PositionOf(mark), "", "a second YAML document begins; write one per file");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseAnchor(mark, anchor);
    Place(NewNode(ConfigNode::Form::kNull, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    ConfigNode* node = Place(NewNode(ConfigNode::Form::kNull, mark));
    tree_->AddError(PositionOf(mark), node->path,
                    "YAML aliases are not supported; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseAnchor(mark, anchor);
    RefuseOpenQuote(mark);
    if (depth_ <= kMaxDepth && AwaitsKey()) {
      stack_.back().key = value;
      stack_.back().key_position = PositionOf(mark);
      stack_.back().has_key = true;
      stack_.back().key_refused = false;
      return;
    }
    // yaml-cpp: "?" is a plain scalar, "!" a quoted one, all else was written as !tag.
    const bool plain = tag == "?" || tag.empty();
    ConfigNode* node = NewNode(plain ? ConfigNode::Form::kPlain : ConfigNode::Form::kQuoted, mark);
    node->text = value;
    Place(node);
    if (!plain && tag != "!") RefuseTag(node);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(ConfigNode::Form::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(ConfigNode::Form::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  struct Level {
    ConfigNode* node = nullptr;
    std::string key;
    ConfigPosition key_position;
    bool has_key = false;
    bool key_refused = false;
  };

  ConfigNode* NewNode(ConfigNode::Form form, const YAML::Mark& mark) {
    return tree_->NewNode(form, PositionOf(mark));
  }

  bool AwaitsKey() const {
    return !stack_.empty() && stack_.back().node->form == ConfigNode::Form::kMap &&
           !stack_.back().has_key;
  }

  // Puts a node where it belongs: the root, a list's end, the value of the key just read.
  ConfigNode* Place(ConfigNode* node) {
    if (documents_ > 1 || depth_ > kMaxDepth) return node;  // reported already
    if (stack_.empty()) {
      root_ = node;
      return node;
    }
    Level& level = stack_.back();
    if (level.node->form == ConfigNode::Form::kList) {
      node->path = fmt::format("{}[{}]", level.node->path, level.node->items.size());
      level.node->items.push_back(node);
      return node;
    }
    if (!level.has_key) {
      tree_->AddError(node->position, level.node->path, "a key must be text; write name: value");
      level.has_key = true;  // the value that follows belongs to this key
      level.key_refused = true;
      return node;
    }
    level.has_key = false;
    if (level.key_refused) return node;
    node->path =
        level.node->path.empty() ? level.key : fmt::format("{}.{}", level.node->path, level.key);
    // yaml-cpp places a missing value where the next token is, often on another line.
    if (node->form == ConfigNode::Form::kNull) node->position = level.key_position;
    AddEntry(level, node);
    return node;
  }

  void AddEntry(Level& level, ConfigNode* node) {
    auto& entries = level.node->entries;
    const auto first = std::find_if(entries.begin(), entries.end(),
                                    [&](const auto& entry) { return entry.key == level.key; });
    if (first == entries.end()) {
      entries.push_back({level.key, level.key_position, node});
      return;
    }
    tree_->AddError(level.key_position, node->path,
                    fmt::format("this key was given before, at line {}; keep one of them",
                                first->position.line));
  }

  void Open(ConfigNode::Form form, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    RefuseAnchor(mark, anchor);
    if (++depth_ > kMaxDepth) {
      if (depth_ == kMaxDepth + 1) {
        tree_->AddError(PositionOf(mark), "",
                        fmt::format("nested deeper than {} levels; remove some", kMaxDepth));
      }
      return;
    }
    ConfigNode* node = Place(NewNode(form, mark));
    if (!tag.empty() && tag != "?") RefuseTag(node);
    stack_.push_back({node, {}, {}, false, false});
  }

  void Close() {
    if (depth_-- <= kMaxDepth) stack_.pop_back();
  }

  void RefuseAnchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == YAML::NullAnchor) return;
    tree_->AddError(PositionOf(mark), "", "YAML anchors are not supported; remove the &name");
  }

  void RefuseTag(const ConfigNode* node) {
    tree_->AddError(node->position, node->path, "YAML tags are not supported; remove the !tag");
  }

  // yaml-cpp 0.7 takes the end of the file for a missing closing quote.
  void RefuseOpenQuote(const YAML::Mark& mark) {
    if (!HasOpenQuote(yaml_, static_cast<size_t>(mark.pos))) return;
    tree_->AddError(PositionOf(mark), "", "not YAML: this quote is never closed; close it");
  }

  ConfigTree* tree_;
  std::string_view yaml_;
  ConfigNode* root_ = nullptr;
  std::vector<Level> stack_;
  int depth_ = 0;
  int documents_ = 0;
};

std::string SyntaxHint(const std::string& message) {
  if (message == YAML::ErrorMsg::TAB_IN_INDENTATION) return "indent with spaces";
  if (message == YAML::ErrorMsg::END_OF_SEQ_FLOW) return "close the list with ]";
  if (message == YAML::ErrorMsg::END_OF_MAP_FLOW) return "close the map with }";
  return "check indentation, colons and quotes here and on the line above";
}

}  // namespace

ConfigNode* ConfigTree::Parse(std::string_view yaml) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (yaml.starts_with(kByteOrderMark)) yaml.remove_prefix(kByteOrderMark.size());
  std::istringstream stream{std::string(yaml)};
  TreeBuilder builder(this, yaml);
  try {
    YAML::Parser parser(stream);
    while (builder.documents() < 2 && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    AddError(PositionOf(error.mark), "",
             fmt::format("not YAML: {}; {}", error.msg, SyntaxHint(error.msg)));
    return nullptr;
  }
  return builder.root() != nullptr ? builder.root() : NewNode(ConfigNode::Form::kNull, {});
}

ConfigNode* ConfigTree::NewNode(ConfigNode::Form form, ConfigPosition position) {
  auto node = std::make_unique<ConfigNode>();
  node->form = form;
  node->position = position;
  return nodes_.emplace_back(std::move(node)).get();
}

void ConfigTree::AddError(ConfigPosition position, std::string path, std::string text) {
  errors_.push_back({position, std::move(path), std::move(text)});
}

std::vector<std::string> ConfigTree::Report() const {
  std::vector<ConfigError> sorted = errors_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const ConfigError& a, const ConfigError& b) {
    return std::pair(a.position.line, a.position.column) <
           std::pair(b.position.line, b.position.column);
  });
  std::vector<std::string> lines;
  lines.reserve(sorted.size());
  for (const ConfigError& error : sorted) {
    lines.push_back(fmt::format("{}:{}:{}: {}{}{}", file_, error.position.line,
                                error.position.column, error.path, error.path.empty() ? "" : ": ",
                                error.text));
  }
  return lines;
}

}  // namespace stem
