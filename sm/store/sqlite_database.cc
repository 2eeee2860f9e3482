// SPDX-License-Identifier: Apache-2.0
#include "sm/store/sqlite_database.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"

namespace stem {
namespace {

// An administrator's sqlite3 shell may hold the file briefly. Less than a firewall's patience with
// a decision (400 ms unless configured), which may have to count a spam entry's hit.
constexpr int kBusyTimeoutMs = 250;

// SQLite would create the file with the umask's mode, and its -wal and -shm take the file's.
absl::Status EnsureOwnersFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, fmt::format("cannot open the database {}", path));
  close(fd);
  return absl::OkStatus();
}

}  // namespace

SqliteQuery::SqliteQuery(SqliteQuery&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      bind_result_(other.bind_result_) {}

SqliteQuery::~SqliteQuery() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);  // repeats the error Step returned; nothing new
  sqlite3_clear_bindings(statement_);
}

SqliteQuery& SqliteQuery::Bind(int64_t value) {
  if (bind_result_ == SQLITE_OK) bind_result_ = sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

SqliteQuery& SqliteQuery::Bind(std::string_view value) {
  if (bind_result_ != SQLITE_OK) return *this;
  // SQLite takes a null pointer for NULL, even with length 0.
  const char* data = value.data() != nullptr ? value.data() : "";
  bind_result_ =
      sqlite3_bind_text64(statement_, ++bound_, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

SqliteQuery& SqliteQuery::BindNull() {
  if (bind_result_ == SQLITE_OK) bind_result_ = sqlite3_bind_null(statement_, ++bound_);
  return *this;
}

absl::StatusOr<bool> SqliteQuery::Step() {
  if (bind_result_ != SQLITE_OK) return database_->ToStatus(bind_result_, "bind a parameter");
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return database_->ToStatus(result, "run a statement");
}

absl::Status SqliteQuery::Run() {
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

std::string SqliteQuery::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path) {
  RETURN_IF_ERROR(EnsureOwnersFile(path));
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle));  // owns it, also on error
  if (result != SQLITE_OK) return database->ToStatus(result, fmt::format("open {}", path));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  RETURN_IF_ERROR(database->Execute("PRAGMA journal_mode = WAL"));
  // NORMAL: after a power failure the last moments' hits may be lost, never the file's integrity.
  RETURN_IF_ERROR(database->Execute("PRAGMA synchronous = NORMAL"));
  RETURN_IF_ERROR(database->Execute("PRAGMA foreign_keys = ON"));
  RETURN_IF_ERROR(database->Execute("PRAGMA trusted_schema = OFF"));
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  if (sqlite3_close(handle_) != SQLITE_OK) spdlog::error("SQLite handle closed while in use");
}

absl::StatusOr<SqliteQuery> SqliteDatabase::Query(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int result =
        sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result != SQLITE_OK) return ToStatus(result, fmt::format("prepare '{}'", sql));
  }
  return SqliteQuery(this, statement);
}

absl::Status SqliteDatabase::Execute(const char* sql) {
  const int result = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : ToStatus(result, fmt::format("run '{}'", sql));
}

absl::StatusOr<int64_t> SqliteDatabase::Number(const char* sql) {
  ASSIGN_OR_RETURN(SqliteQuery query, Query(sql));
  ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return absl::InternalError(fmt::format("'{}' yields nothing", sql));
  return query.Integer(0);
}

absl::Status SqliteDatabase::ToStatus(int result, std::string_view what) const {
  const std::string text = fmt::format("cannot {}: {}", what, sqlite3_errmsg(handle_));
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(text);
    case SQLITE_CONSTRAINT:
      if (result == SQLITE_CONSTRAINT_FOREIGNKEY) return absl::NotFoundError(text);
      if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY) {
        return absl::AlreadyExistsError(text);
      }
      return absl::InternalError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::StatusOr<SqliteTransaction> SqliteTransaction::Begin(SqliteDatabase* database) {
  RETURN_IF_ERROR(database->Execute("BEGIN IMMEDIATE"));
  return SqliteTransaction(database);
}

absl::StatusOr<SqliteTransaction> SqliteTransaction::BeginReading(SqliteDatabase* database) {
  RETURN_IF_ERROR(database->Execute("BEGIN DEFERRED"));
  return SqliteTransaction(database);
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

SqliteTransaction::~SqliteTransaction() {
  if (database_ == nullptr) return;
  const absl::Status rolled_back = database_->Execute("ROLLBACK");
  if (!rolled_back.ok()) spdlog::error("{}", rolled_back.ToString());
}

absl::Status SqliteTransaction::Commit() {
  RETURN_IF_ERROR(database_->Execute("COMMIT"));  // on error the destructor rolls back
  database_ = nullptr;
  return absl::OkStatus();
}

}  // namespace stem
