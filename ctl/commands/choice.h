// SPDX-License-Identifier: Apache-2.0
// Options that take one of a few words.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

namespace stem::ctl {

// Turns a word into the enum value that stands beside it; other words are refused with those that
// would be right. For Option::transform. (CLI::CheckedTransformer would show the numbers, too.)
template <typename Enum>
CLI::Validator Choice(std::vector<std::pair<std::string, Enum>> choices) {
  return CLI::Validator(
      [choices = std::move(choices)](std::string& word) -> std::string {
        std::string known;
        for (const auto& [name, value] : choices) {
          if (word == name) {
            word = fmt::format("{}", static_cast<int>(value));
            return {};
          }
          known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
        }
        return fmt::format("{} is none of {}", word, known);
      },
      /*validator_desc=*/"", /*validator_name=*/"");
}

}  // namespace stem::ctl
