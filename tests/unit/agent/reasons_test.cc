// SPDX-License-Identifier: Apache-2.0
// What people read about the reasons is what bpf/stem_reasons.h says.
#include <gtest/gtest.h>

#include "agent/dataplane/counter_reader.h"
#include "common/file.h"
#include "fmt/format.h"

namespace stem {
namespace {

TEST(ReasonsTest, TheDocumentedTableIsTheHeader) {
  const absl::StatusOr<std::string> text = ReadFile(STEM_SOURCE_DIR "/docs/data-plane.md", 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  std::string table = "|---|---|---|---|\n";
  for (int i = 0; i < STEM_REASON_MAX; ++i) {
    const ReasonInfo reason = DescribeReason(static_cast<stem_reason>(i));
    table += fmt::format("| `{}` | {} | {} | {} |\n", reason.name, ModuleName(reason.module),
                         reason.is_drop ? "drop" : "", reason.meaning);
  }
  EXPECT_NE(text->find(table), std::string::npos) << "docs/data-plane.md, Reasons, is to be\n"
                                                  << table;
}

}  // namespace
}  // namespace stem
