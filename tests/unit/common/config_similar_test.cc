// SPDX-License-Identifier: Apache-2.0
#include "common/config/similar.h"

#include "gtest/gtest.h"

namespace stem {
namespace {

TEST(Similar, EditDistanceCountsEachKindOfSlip) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("port", "port"), 0u);
  EXPECT_EQ(EditDistance("port", "ports"), 1u);
  EXPECT_EQ(EditDistance("port", "prt"), 1u);
  EXPECT_EQ(EditDistance("port", "port2s"), 2u);
  EXPECT_EQ(EditDistance("listen", "litsen"), 1u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("cat", "dog"), 3u);
}

TEST(Similar, SuggestsOnlySlips) {
  const std::vector<std::string> words = {"listen", "log_level", "domains"};
  EXPECT_EQ(MostSimilar("litsen", words), "listen");
  EXPECT_EQ(MostSimilar("loglevel", words), "log_level");
  EXPECT_EQ(MostSimilar("domain", words), "domains");
  EXPECT_EQ(MostSimilar("database", words), std::nullopt);
  EXPECT_EQ(MostSimilar("", words), std::nullopt);
  EXPECT_EQ(MostSimilar(std::string(100000, 'x'), words), std::nullopt);
}

}  // namespace
}  // namespace stem
