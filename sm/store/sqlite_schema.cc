// SPDX-License-Identifier: Apache-2.0
#include "sm/store/sqlite_schema.h"

#include <array>
#include <cstdint>
#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

constexpr int64_t kApplicationId = 0x5354454d;  // "STEM", in the file's header

constexpr const char* kVersion1 = R"sql(
CREATE TABLE policy (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  revision INTEGER NOT NULL
) STRICT;
INSERT INTO policy VALUES (1, 1);

CREATE TABLE users (
  name TEXT PRIMARY KEY,
  incoming INTEGER NOT NULL,
  forward_to TEXT NOT NULL,
  forward_key TEXT NOT NULL,
  refuse_status INTEGER NOT NULL,
  refuse_reason TEXT NOT NULL
) STRICT;

CREATE TABLE addresses (
  key TEXT PRIMARY KEY,
  user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  uri TEXT NOT NULL
) STRICT;
CREATE INDEX addresses_user ON addresses (user, position);

CREATE TABLE locations (
  user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  key TEXT NOT NULL,
  uri TEXT NOT NULL,
  PRIMARY KEY (user, position)
) STRICT;
CREATE INDEX locations_key ON locations (key, user);

CREATE TABLE spam (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL,
  kind INTEGER NOT NULL,
  value TEXT NOT NULL,
  user TEXT REFERENCES users (name) ON DELETE CASCADE,
  comment TEXT NOT NULL,
  hits INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX spam_key ON spam (key, ifnull(user, ''));
CREATE INDEX spam_user ON spam (user);
)sql";

// What an instruction says is kept as the protocol says it, in JSON: the store looks at key and
// time only.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE instructions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  until_unix_ms INTEGER NOT NULL,
  message TEXT NOT NULL
) STRICT;
)sql";

// Entry i leads from version i to i + 1.
constexpr std::array<const char*, 2> kUpgrades = {kVersion1, kVersion2};

}  // namespace

absl::Status UpgradeSchema(SqliteDatabase* database) {
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(database));
  ASSIGN_OR_RETURN(const int64_t application, database->Number("PRAGMA application_id"));
  ASSIGN_OR_RETURN(const int64_t version, database->Number("PRAGMA user_version"));
  ASSIGN_OR_RETURN(const int64_t objects, database->Number("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && (application != 0 || objects != 0)) {
    return absl::FailedPreconditionError("the database belongs to another program");
  }
  if (version > static_cast<int64_t>(kUpgrades.size())) {
    return absl::FailedPreconditionError(
        fmt::format("the database has version {}, this stem-sm knows up to {}; start the newer one",
                    version, kUpgrades.size()));
  }
  for (size_t next = static_cast<size_t>(version); next < kUpgrades.size(); ++next) {
    RETURN_IF_ERROR(database->Execute(kUpgrades[next]));
  }
  RETURN_IF_ERROR(
      database->Execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str()));
  RETURN_IF_ERROR(
      database->Execute(fmt::format("PRAGMA user_version = {}", kUpgrades.size()).c_str()));
  return transaction.Commit();
}

}  // namespace stem
