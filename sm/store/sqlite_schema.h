// SPDX-License-Identifier: Apache-2.0
// The tables of the SQLite store and how older ones become newer ones.
#pragma once

#include "absl/status/status.h"
#include "sm/store/sqlite_database.h"

namespace stem {

// Brings the database to the newest version, in one transaction. FAILED_PRECONDITION when it was
// written by a newer stem-sm, or belongs to another program.
absl::Status UpgradeSchema(SqliteDatabase* database);

}  // namespace stem
