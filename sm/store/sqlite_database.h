// SPDX-License-Identifier: Apache-2.0
// SQLite with owned handles, bound parameters and absl::Status.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stem {

class SqliteDatabase;

// A prepared statement in use: bound, stepped, and given back (reset) when it goes out of scope.
class SqliteQuery {
 public:
  SqliteQuery(SqliteDatabase* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  SqliteQuery(SqliteQuery&& other) noexcept;
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;
  SqliteQuery& operator=(SqliteQuery&&) = delete;
  ~SqliteQuery();

  // Binds the next parameter, in the order of the ?s.
  SqliteQuery& Bind(int64_t value);
  SqliteQuery& Bind(std::string_view value);
  SqliteQuery& BindNull();

  // True while there is a row to read. Errors of binding are reported here.
  absl::StatusOr<bool> Step();

  // Steps to the end.
  absl::Status Run();

  int64_t Integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) const;

 private:
  SqliteDatabase* database_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
  int bind_result_ = SQLITE_OK;
};

// One connection; not thread-safe.
class SqliteDatabase {
 public:
  // Opens or creates the file, for its owner only, in WAL mode with foreign keys.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;
  ~SqliteDatabase();

  // `sql` must be a literal: it is prepared once and found by its address afterwards.
  absl::StatusOr<SqliteQuery> Query(const char* sql);

  // Runs statements without parameters or results.
  absl::Status Execute(const char* sql);

  // A query that yields one number.
  absl::StatusOr<int64_t> Number(const char* sql);

  int64_t last_insert_id() const { return sqlite3_last_insert_rowid(handle_); }
  int changes() const { return sqlite3_changes(handle_); }

  // The status of a result code: UNAVAILABLE for busy, ALREADY_EXISTS for a broken uniqueness,
  // NOT_FOUND for a broken foreign key, else INTERNAL with SQLite's words.
  absl::Status ToStatus(int result, std::string_view what) const;

 private:
  explicit SqliteDatabase(sqlite3* handle) : handle_(handle) {}

  sqlite3* handle_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

// Begins a write transaction at once (no upgrade that could fail later) and rolls it back unless
// committed.
class SqliteTransaction {
 public:
  static absl::StatusOr<SqliteTransaction> Begin(SqliteDatabase* database);

  // All reads within it see one moment. Needs no commit.
  static absl::StatusOr<SqliteTransaction> BeginReading(SqliteDatabase* database);
  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();

  absl::Status Commit();

 private:
  explicit SqliteTransaction(SqliteDatabase* database) : database_(database) {}
  SqliteDatabase* database_;
};

}  // namespace stem
