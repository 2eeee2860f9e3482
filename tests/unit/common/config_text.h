// SPDX-License-Identifier: Apache-2.0
// Reading a few lines of YAML in a test and getting back what the reader says about them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/config/document.h"

namespace stem {

// Parses `yaml` as "t.yaml", lets `read` read it, and returns all errors, "" when there is none.
inline std::string ErrorsOf(std::string_view yaml,
                            const std::function<void(const ConfigSection&)>& read) {
  absl::StatusOr<ConfigDocument> document = ConfigDocument::Parse(yaml, "t.yaml");
  if (!document.ok()) return std::string(document.status().message());
  read(document->root());
  return std::string(document->Finish().message());
}

}  // namespace stem
