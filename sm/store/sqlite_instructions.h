// SPDX-License-Identifier: Apache-2.0
// Instructions in the SQLite store.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "sm/store/sqlite_database.h"
#include "stem/v1/instruction.pb.h"

namespace stem {

// All of them, by id.
absl::StatusOr<std::vector<v1::Instruction>> ReadInstructions(SqliteDatabase& database);

}  // namespace stem
