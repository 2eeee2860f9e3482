// SPDX-License-Identifier: Apache-2.0
// "Did you mean": the known word nearest to one that was mistyped.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stem {

// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal
// string alignment distance).
size_t EditDistance(std::string_view a, std::string_view b);

// The nearest of `words` that is near enough to be a slip of the hand: at most a third of the
// longer word's letters differ. The first one of several equally near; nullopt when none is.
std::optional<std::string> MostSimilar(std::string_view word,
                                       const std::vector<std::string>& words);

}  // namespace stem
