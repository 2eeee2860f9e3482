// SPDX-License-Identifier: Apache-2.0
// Typed reading of YAML configuration that reports every error at once, each with its place.
//
//   ASSIGN_OR_RETURN(ConfigDocument document, ConfigDocument::Load("/etc/stem/agent.yaml"));
//   ConfigSection root = document.root();
//   root.Required("name", config.name, Name{});
//   root.Optional("log_level", config.level, Choice<Level>{{{"info", kInfo}, {"debug", kDebug}}});
//   ConfigSection media = root.Section("media");
//   media.Optional("idle_timeout", config.idle, Duration{.min = 1s, .max = 1h});
//   media.Optional("ports", config.ports, Each{Integer{1, 65535}, Count{1, 8}});
//   for (ConfigSection item : root.List("interfaces", Count{2, 8})) {
//     Interface interface;
//     item.Required("name", interface.name, Text{});
//     if (seen(interface.name)) item.At("name").Error("used twice", "another name");
//   }
//   RETURN_IF_ERROR(document.Finish());
//
// Nothing is returned by the reads: what is wrong is collected, with the keys nobody asked for, and
// Finish says all of it, one line per error:
//
//   agent.yaml:7:3: media.idle_timeout: '5' is not a duration; write a duration from 1s to 1h, ...
//
// A target keeps its value when its key is absent or wrong, so defaults live in the struct.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/tree.h"

namespace stem {

// How many items a list may have.
struct Count {
  size_t min = 0;
  size_t max = 1024;
};

// One value at its place in the file; also an absent one, whose place is the section it belongs to.
// Valid as long as its ConfigDocument.
class ConfigValue {
 public:
  ConfigValue(ConfigTree* tree, ConfigNode* node) : tree_(tree), node_(node) {}

  bool absent() const { return node_->form == ConfigNode::Form::kAbsent; }

  // Adds "path: WRONG; write RIGHT". For what a reader checks after reading.
  void Error(std::string_view wrong, std::string_view right) const;

  // The scalar's text, or nullptr after adding an error that says to write `right`. PlainText
  // refuses quotes: a quoted number or boolean is text.
  const std::string* PlainText(std::string_view right) const;
  const std::string* AnyText(std::string_view right) const;
  bool quoted() const { return node_->form == ConfigNode::Form::kQuoted; }

  // The list's items; empty after adding an error when this is no list or `count` does not hold.
  std::vector<ConfigValue> Items(Count count) const;

  const std::string& file() const { return tree_->file(); }
  // "file:line:column", as errors begin.
  std::string Place() const;

 private:
  friend class ConfigSection;
  void WrongForm(std::string_view right) const;

  ConfigTree* tree_;
  ConfigNode* node_;
};

// The kind a target of type T has when none is given; specialised in kinds.h.
template <typename T>
struct NaturalKind;

// A map of the file, or an absent one (in which every key is absent).
class ConfigSection {
 public:
  ConfigSection(ConfigTree* tree, ConfigNode* node);

  // Reads `key` into `target`. `kind` says what is accepted (kinds.h).
  template <typename T, typename Kind>
  void Required(std::string_view key, T& target, const Kind& kind) const {
    const ConfigValue value = At(key);
    if (value.absent()) {
      value.Error("required key is missing", kind.Right());
    } else {
      kind.Read(value, target);
    }
  }
  template <typename T, typename Kind>
  void Optional(std::string_view key, T& target, const Kind& kind) const {
    if (const ConfigValue value = At(key); !value.absent()) kind.Read(value, target);
  }
  // For types that need no kind: bool, IpAddress, Endpoint, Prefix.
  template <typename T>
  void Required(std::string_view key, T& target) const {
    Required(key, target, NaturalKind<T>{});
  }
  template <typename T>
  void Optional(std::string_view key, T& target) const {
    Optional(key, target, NaturalKind<T>{});
  }

  // The map under `key`. An absent or empty one is read as a section without keys: its required
  // keys are then reported missing one by one.
  ConfigSection Section(std::string_view key) const;

  // The maps of the list under `key`. An absent list is empty, and an error when count.min > 0.
  std::vector<ConfigSection> List(std::string_view key, Count count = {}) const;

  // The value under `key`, for checks of one's own; counts as having read it.
  ConfigValue At(std::string_view key) const;

  // This section as a value, for errors that belong to no single key.
  ConfigValue AsValue() const { return ConfigValue(tree_, node_); }
  bool present() const { return node_->form == ConfigNode::Form::kMap; }

 private:
  ConfigTree* tree_;
  ConfigNode* node_;
};

class ConfigDocument {
 public:
  // INVALID_ARGUMENT for a file that is not YAML (file:line:column in the message); NOT_FOUND and
  // the like for one that cannot be read. Files above `max_bytes` are refused.
  static absl::StatusOr<ConfigDocument> Load(const std::string& path,
                                             size_t max_bytes = size_t{4} << 20);

  // The same for text in memory; `file` is what errors call it.
  static absl::StatusOr<ConfigDocument> Parse(std::string_view yaml, std::string file);

  ConfigSection root() const;

  // Call after all reading: OK, or INVALID_ARGUMENT with every error on a line of its own, in the
  // order of the file. Keys that were never asked for are errors.
  absl::Status Finish();

 private:
  ConfigDocument(std::unique_ptr<ConfigTree> tree, ConfigNode* root);

  std::unique_ptr<ConfigTree> tree_;
  ConfigNode* root_;
};

}  // namespace stem

#include "common/config/kinds.h"  // IWYU pragma: export
