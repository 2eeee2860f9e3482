// SPDX-License-Identifier: Apache-2.0
#include "common/config/document.h"

#include <algorithm>
#include <utility>

#include "common/config/similar.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

using Form = ConfigNode::Form;

std::string CountRight(Count count) {
  if (count.min == count.max) return fmt::format("a list of {}", count.min);
  return fmt::format("a list of {} to {}", count.min, count.max);
}

std::string UnknownKeyText(std::string_view key, const ConfigNode& section) {
  const std::vector<std::string> known(section.known.begin(), section.known.end());
  if (known.empty()) return "unknown key; nothing can be set here, remove it";
  if (const auto near = MostSimilar(key, known); near.has_value()) {
    return fmt::format("unknown key; did you mean '{}'?", *near);
  }
  return fmt::format("unknown key; the keys here are: {}", fmt::join(known, ", "));
}

}  // namespace

void ConfigValue::Error(std::string_view wrong, std::string_view right) const {
  tree_->AddError(node_->position, node_->path, fmt::format("{}; write {}", wrong, right));
}

std::string ConfigValue::Place() const {
  return fmt::format("{}:{}:{}", file(), node_->position.line, node_->position.column);
}

void ConfigValue::WrongForm(std::string_view right) const {
  switch (node_->form) {
    case Form::kAbsent:
      return Error("required key is missing", right);
    case Form::kNull:
      return Error("has no value", right);
    case Form::kPlain:
    case Form::kQuoted:
      return Error(fmt::format("'{}' is a single value", node_->text), right);
    case Form::kList:
      return Error("is a list", right);
    case Form::kMap:
      return Error("is a map of keys", right);
  }
}

const std::string* ConfigValue::PlainText(std::string_view right) const {
  if (node_->form == Form::kPlain) return &node_->text;
  if (node_->form == Form::kQuoted) {
    Error(fmt::format("\"{}\" is in quotes, which makes it text", node_->text),
          fmt::format("{}, without quotes", right));
  } else {
    WrongForm(right);
  }
  return nullptr;
}

const std::string* ConfigValue::AnyText(std::string_view right) const {
  if (node_->form == Form::kPlain || node_->form == Form::kQuoted) return &node_->text;
  WrongForm(right);
  return nullptr;
}

std::vector<ConfigValue> ConfigValue::Items(Count count) const {
  if (node_->form != Form::kList) {
    WrongForm(CountRight(count));
    return {};
  }
  const size_t size = node_->items.size();
  if (size < count.min || size > count.max) {
    Error(fmt::format("the list has {} items", size), CountRight(count));
    return {};
  }
  std::vector<ConfigValue> items;
  items.reserve(size);
  for (ConfigNode* item : node_->items) items.emplace_back(tree_, item);
  return items;
}

ConfigSection::ConfigSection(ConfigTree* tree, ConfigNode* node) : tree_(tree), node_(node) {
  node->read_as_section = true;
}

ConfigValue ConfigSection::At(std::string_view key) const {
  node_->known.emplace(key);
  for (const ConfigNode::Entry& entry : node_->entries) {
    if (entry.key == key) return ConfigValue(tree_, entry.value);
  }
  ConfigNode* absent = tree_->NewNode(Form::kAbsent, node_->position);
  absent->path = node_->path.empty() ? std::string(key) : fmt::format("{}.{}", node_->path, key);
  return ConfigValue(tree_, absent);
}

ConfigSection ConfigSection::Section(std::string_view key) const {
  const ConfigValue value = At(key);
  const Form form = value.node_->form;
  if (form != Form::kMap && form != Form::kAbsent && form != Form::kNull) {
    value.WrongForm("a map of keys");
  }
  return ConfigSection(tree_, value.node_);
}

std::vector<ConfigSection> ConfigSection::List(std::string_view key, Count count) const {
  const ConfigValue value = At(key);
  const Form form = value.node_->form;
  if ((form == Form::kAbsent || form == Form::kNull) && count.min == 0) return {};
  std::vector<ConfigSection> sections;
  for (const ConfigValue& item : value.Items(count)) {
    if (item.node_->form == Form::kMap) {
      sections.emplace_back(tree_, item.node_);
    } else {
      item.WrongForm("a map of keys");
    }
  }
  return sections;
}

ConfigDocument::ConfigDocument(std::unique_ptr<ConfigTree> tree, ConfigNode* root)
    : tree_(std::move(tree)), root_(root) {}

absl::StatusOr<ConfigDocument> ConfigDocument::Load(const std::string& path, size_t max_bytes) {
  ASSIGN_OR_RETURN(const std::string yaml, ReadFile(path, max_bytes));
  return Parse(yaml, path);
}

absl::StatusOr<ConfigDocument> ConfigDocument::Parse(std::string_view yaml, std::string file) {
  auto tree = std::make_unique<ConfigTree>(std::move(file));
  ConfigNode* root = tree->Parse(yaml);
  if (root == nullptr) {
    return absl::InvalidArgumentError(fmt::format("{}", fmt::join(tree->Report(), "\n")));
  }
  if (root->form != Form::kMap && root->form != Form::kNull) {
    tree->AddError(root->position, "", "the file is not a map of keys; write 'key: value' lines");
  }
  return ConfigDocument(std::move(tree), root);
}

ConfigSection ConfigDocument::root() const { return ConfigSection(tree_.get(), root_); }

absl::Status ConfigDocument::Finish() {
  for (const auto& node : tree_->nodes()) {
    if (!node->read_as_section) continue;
    for (const ConfigNode::Entry& entry : node->entries) {
      if (node->known.contains(entry.key)) continue;
      tree_->AddError(entry.position, entry.value->path, UnknownKeyText(entry.key, *node));
    }
    node->read_as_section = false;  // a second Finish must not say it twice
  }
  const std::vector<std::string> errors = tree_->Report();
  if (errors.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(fmt::format("{}", fmt::join(errors, "\n")));
}

}  // namespace stem
