// SPDX-License-Identifier: Apache-2.0
// Options that take a length of time with its unit.
#pragma once

#include <map>
#include <string>

#include "CLI/CLI.hpp"

namespace stem::ctl {

// "90s", "10m", "2h", "7d", a millisecond to ten years; *seconds stays as it is when not given.
inline CLI::Option* AddLastingOption(CLI::App* command, const std::string& name, double* seconds,
                                     const std::string& meaning) {
  const std::map<std::string, double> units = {
      {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  return command->add_option(name, *seconds, meaning)
      ->transform(CLI::AsNumberWithUnit(units).description(""))
      ->check(CLI::Range(0.001, 3650 * 86400.0).description(""))
      ->type_name("TIME");
}

}  // namespace stem::ctl
