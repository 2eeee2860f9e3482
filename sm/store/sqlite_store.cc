// SPDX-License-Identifier: Apache-2.0
#include "sm/store/sqlite_store.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "sm/store/sqlite_instructions.h"
#include "sm/store/sqlite_schema.h"

namespace stem {
namespace {

absl::Status NoSuchUser(std::string_view name) {
  return absl::NotFoundError(fmt::format("there is no user {}", name));
}

absl::Status TooMany(std::string_view what, uint64_t limit) {
  return absl::ResourceExhaustedError(
      fmt::format("there are {} {} already, the configured limit", limit, what));
}

void BindProfile(SqliteQuery& query, const v1::User& user, const std::string& forward_key) {
  query.Bind(static_cast<int64_t>(user.incoming()))
      .Bind(user.forward_to())
      .Bind(forward_key)
      .Bind(static_cast<int64_t>(user.refuse_status()))
      .Bind(user.refuse_reason());
}

// Columns id, kind, value, user, comment, hits.
v1::SpamEntry ReadSpam(const SqliteQuery& query) {
  v1::SpamEntry entry;
  entry.set_id(query.Integer(0));
  entry.set_kind(static_cast<v1::SpamKind>(query.Integer(1)));
  entry.set_value(query.Text(2));
  entry.set_user(query.Text(3));
  entry.set_comment(query.Text(4));
  entry.set_hits(query.Integer(5));
  return entry;
}

absl::StatusOr<std::vector<v1::SpamEntry>> ReadAllSpam(SqliteQuery& query) {
  std::vector<v1::SpamEntry> entries;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return entries;
    entries.push_back(ReadSpam(query));
  }
}

absl::Status ReadUris(SqliteDatabase& database, v1::User* user) {
  ASSIGN_OR_RETURN(SqliteQuery addresses,
                   database.Query("SELECT uri FROM addresses WHERE user = ? ORDER BY position"));
  addresses.Bind(user->name());
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, addresses.Step());
    if (!row) break;
    user->add_uris(addresses.Text(0));
  }
  ASSIGN_OR_RETURN(SqliteQuery locations,
                   database.Query("SELECT uri FROM locations WHERE user = ? ORDER BY position"));
  locations.Bind(user->name());
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, locations.Step());
    if (!row) return absl::OkStatus();
    user->add_locations(locations.Text(0));
  }
}

absl::StatusOr<v1::User> ReadUser(SqliteDatabase& database, std::string_view name) {
  v1::User user;
  {
    ASSIGN_OR_RETURN(SqliteQuery select,
                     database.Query("SELECT name, incoming, forward_to, refuse_status, "
                                    "refuse_reason FROM users WHERE name = ?"));
    ASSIGN_OR_RETURN(const bool row, select.Bind(name).Step());
    if (!row) return NoSuchUser(name);
    user.set_name(select.Text(0));
    user.set_incoming(static_cast<v1::IncomingCalls>(select.Integer(1)));
    user.set_forward_to(select.Text(2));
    user.set_refuse_status(static_cast<uint32_t>(select.Integer(3)));
    user.set_refuse_reason(select.Text(4));
  }
  RETURN_IF_ERROR(ReadUris(database, &user));
  return user;
}

}  // namespace

SqliteStore::SqliteStore(std::string path, StoreLimits limits)
    : path_(std::move(path)), limits_(limits) {}

absl::Status SqliteStore::Connect(Connection& connection) const {
  ASSIGN_OR_RETURN(connection.database, SqliteDatabase::Open(path_));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& path,
                                                               StoreLimits limits) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(path, limits));
  RETURN_IF_ERROR(store->Connect(store->writer_));
  const absl::Status upgraded = UpgradeSchema(store->writer_.database.get());
  if (!upgraded.ok()) {
    const std::string message(upgraded.message());
    return absl::Status(upgraded.code(), fmt::format("{}: {}", path, message));
  }
  RETURN_IF_ERROR(store->Connect(store->reader_));
  RETURN_IF_ERROR(store->Connect(store->policy_reader_));
  return store;
}

absl::Status SqliteStore::AddUser(const UserRecord& record) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(const int64_t users, database.Number("SELECT count(*) FROM users"));
  if (static_cast<uint64_t>(users) >= limits_.users) return TooMany("users", limits_.users);
  ASSIGN_OR_RETURN(
      SqliteQuery insert,
      database.Query("INSERT INTO users (incoming, forward_to, forward_key, refuse_status, "
                     "refuse_reason, name) VALUES (?, ?, ?, ?, ?, ?)"));
  BindProfile(insert, record.user, record.forward_key);
  const absl::Status inserted = insert.Bind(record.user.name()).Run();
  if (absl::IsAlreadyExists(inserted)) {
    return absl::AlreadyExistsError(fmt::format("user {} exists already", record.user.name()));
  }
  RETURN_IF_ERROR(inserted);
  RETURN_IF_ERROR(WriteAddresses(record));
  RETURN_IF_ERROR(CheckForwards(record));
  return FinishPolicyChange(transaction);
}

absl::Status SqliteStore::SetUser(const UserRecord& record) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(SqliteQuery update,
                   database.Query("UPDATE users SET incoming = ?, forward_to = ?, forward_key = ?, "
                                  "refuse_status = ?, refuse_reason = ? WHERE name = ?"));
  BindProfile(update, record.user, record.forward_key);
  RETURN_IF_ERROR(update.Bind(record.user.name()).Run());
  if (database.changes() == 0) return NoSuchUser(record.user.name());
  for (const char* sql :
       {"DELETE FROM addresses WHERE user = ?", "DELETE FROM locations WHERE user = ?"}) {
    ASSIGN_OR_RETURN(SqliteQuery remove, database.Query(sql));
    RETURN_IF_ERROR(remove.Bind(record.user.name()).Run());
  }
  RETURN_IF_ERROR(WriteAddresses(record));
  RETURN_IF_ERROR(CheckForwards(record));
  return FinishPolicyChange(transaction);
}

absl::Status SqliteStore::WriteAddresses(const UserRecord& record) {
  for (int i = 0; i < record.user.uris_size(); ++i) {
    ASSIGN_OR_RETURN(SqliteQuery insert,
                     writer_.database->Query(
                         "INSERT INTO addresses (key, user, position, uri) VALUES (?, ?, ?, ?)"));
    const absl::Status inserted = insert.Bind(record.address_keys[static_cast<size_t>(i)])
                                      .Bind(record.user.name())
                                      .Bind(int64_t{i})
                                      .Bind(record.user.uris(i))
                                      .Run();
    if (absl::IsAlreadyExists(inserted)) {
      return absl::AlreadyExistsError(
          fmt::format("user.uris: {} belongs to a user already", record.user.uris(i)));
    }
    RETURN_IF_ERROR(inserted);
  }
  for (int i = 0; i < record.user.locations_size(); ++i) {
    ASSIGN_OR_RETURN(SqliteQuery insert,
                     writer_.database->Query(
                         "INSERT INTO locations (key, user, position, uri) VALUES (?, ?, ?, ?)"));
    RETURN_IF_ERROR(insert.Bind(record.location_keys[static_cast<size_t>(i)])
                        .Bind(record.user.name())
                        .Bind(int64_t{i})
                        .Bind(record.user.locations(i))
                        .Run());
  }
  return absl::OkStatus();
}

// Follows the forwards from where this user's leads; UNION makes the walk end in any graph. A user
// who forwards nowhere, but gets an address that others forward to, closes no circle.
absl::Status SqliteStore::CheckForwards(const UserRecord& record) {
  if (record.forward_key.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(SqliteQuery walk,
                   writer_.database->Query("WITH RECURSIVE chain (name) AS ("
                                           "  SELECT user FROM addresses WHERE key = ?"
                                           "  UNION"
                                           "  SELECT addresses.user FROM chain"
                                           "    JOIN users ON users.name = chain.name"
                                           "    JOIN addresses ON addresses.key = users.forward_key"
                                           ") SELECT count(*) FROM chain WHERE name = ?"));
  ASSIGN_OR_RETURN(const bool row, walk.Bind(record.forward_key).Bind(record.user.name()).Step());
  if (row && walk.Integer(0) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("user.forward_to: calls forwarded to {} come back to {}; forward them elsewhere",
                  record.user.forward_to(), record.user.name()));
}

absl::Status SqliteStore::FinishPolicyChange(SqliteTransaction& transaction) {
  RETURN_IF_ERROR(writer_.database->Execute("UPDATE policy SET revision = revision + 1"));
  return transaction.Commit();
}

absl::StatusOr<v1::User> SqliteStore::RemoveUser(std::string_view name) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(v1::User user, ReadUser(database, name));
  ASSIGN_OR_RETURN(SqliteQuery remove, database.Query("DELETE FROM users WHERE name = ?"));
  RETURN_IF_ERROR(remove.Bind(name).Run());
  RETURN_IF_ERROR(FinishPolicyChange(transaction));
  return user;
}

absl::StatusOr<v1::User> SqliteStore::GetUser(std::string_view name) {
  const std::lock_guard lock(reader_.mutex);
  SqliteDatabase& database = *reader_.database;
  ASSIGN_OR_RETURN(SqliteTransaction moment, SqliteTransaction::BeginReading(&database));
  return ReadUser(database, name);
}

absl::StatusOr<std::vector<v1::User>> SqliteStore::ListUsers(std::string_view after,
                                                             uint32_t limit) {
  const std::lock_guard lock(reader_.mutex);
  SqliteDatabase& database = *reader_.database;
  ASSIGN_OR_RETURN(SqliteTransaction moment, SqliteTransaction::BeginReading(&database));
  std::vector<std::string> names;
  {
    ASSIGN_OR_RETURN(SqliteQuery select,
                     database.Query("SELECT name FROM users WHERE name > ? ORDER BY name LIMIT ?"));
    select.Bind(after).Bind(int64_t{limit});
    for (;;) {
      ASSIGN_OR_RETURN(const bool row, select.Step());
      if (!row) break;
      names.push_back(select.Text(0));
    }
  }
  std::vector<v1::User> users;
  users.reserve(names.size());
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(v1::User user, ReadUser(database, name));
    users.push_back(std::move(user));
  }
  return users;
}

absl::StatusOr<std::optional<v1::User>> SqliteStore::FindCallee(std::string_view key) {
  const std::lock_guard lock(reader_.mutex);
  SqliteDatabase& database = *reader_.database;
  ASSIGN_OR_RETURN(SqliteTransaction moment, SqliteTransaction::BeginReading(&database));
  std::string name;
  {
    ASSIGN_OR_RETURN(SqliteQuery select,
                     database.Query("SELECT user FROM (SELECT user, 1 AS rank FROM addresses "
                                    "WHERE key = ?1 UNION ALL SELECT user, 2 FROM locations WHERE "
                                    "key = ?1) ORDER BY rank, user LIMIT 1"));
    ASSIGN_OR_RETURN(const bool row, select.Bind(key).Step());
    if (!row) return std::nullopt;
    name = select.Text(0);
  }
  ASSIGN_OR_RETURN(v1::User user, ReadUser(database, name));
  return user;
}

absl::StatusOr<v1::SpamEntry> SqliteStore::AddSpam(const SpamRecord& record) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(const int64_t entries, database.Number("SELECT count(*) FROM spam"));
  if (static_cast<uint64_t>(entries) >= limits_.spam_entries) {
    return TooMany("spam entries", limits_.spam_entries);
  }
  ASSIGN_OR_RETURN(SqliteQuery insert,
                   database.Query("INSERT INTO spam (key, kind, value, comment, user) "
                                  "VALUES (?, ?, ?, ?, ?)"));
  const v1::SpamEntry& entry = record.entry;
  insert.Bind(record.key)
      .Bind(static_cast<int64_t>(entry.kind()))
      .Bind(entry.value())
      .Bind(entry.comment());
  entry.user().empty() ? insert.BindNull() : insert.Bind(entry.user());
  const absl::Status inserted = insert.Run();
  if (absl::IsAlreadyExists(inserted)) {
    return absl::AlreadyExistsError(
        fmt::format("there is such an entry for {} already", entry.value()));
  }
  if (absl::IsNotFound(inserted)) return NoSuchUser(entry.user());
  RETURN_IF_ERROR(inserted);
  v1::SpamEntry stored = entry;
  stored.set_id(database.last_insert_id());
  stored.set_hits(0);
  RETURN_IF_ERROR(transaction.Commit());
  return stored;
}

absl::StatusOr<v1::SpamEntry> SqliteStore::RemoveSpam(int64_t id) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteQuery remove,
                   database.Query("DELETE FROM spam WHERE id = ? RETURNING id, kind, value, "
                                  "ifnull(user, ''), comment, hits"));
  ASSIGN_OR_RETURN(const bool row, remove.Bind(id).Step());
  if (!row) return absl::NotFoundError(fmt::format("there is no spam entry {}", id));
  v1::SpamEntry entry = ReadSpam(remove);
  RETURN_IF_ERROR(remove.Run());
  return entry;
}

absl::StatusOr<std::vector<v1::SpamEntry>> SqliteStore::ListSpam(std::string_view user) {
  const std::lock_guard lock(reader_.mutex);
  SqliteDatabase& database = *reader_.database;
  ASSIGN_OR_RETURN(
      SqliteQuery select,
      database.Query("SELECT id, kind, value, ifnull(user, ''), comment, hits FROM spam "
                     "WHERE ?1 = '' OR user = ?1 ORDER BY id"));
  select.Bind(user);
  return ReadAllSpam(select);
}

absl::StatusOr<std::vector<v1::SpamEntry>> SqliteStore::FindSpam(
    const std::vector<std::string>& keys) {
  // error_handler_t::replace: keys may come from the network; bytes that are no UTF-8 match
  // nothing.
  const std::string array =
      nlohmann::json(keys).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const std::lock_guard lock(reader_.mutex);
  SqliteDatabase& database = *reader_.database;
  // CROSS JOIN keeps SQLite from scanning the table and searching the few keys in it.
  ASSIGN_OR_RETURN(
      SqliteQuery select,
      database.Query("SELECT spam.id, kind, spam.value, ifnull(user, ''), comment, hits "
                     "FROM json_each(?) AS wanted CROSS JOIN spam "
                     "ON spam.key = wanted.value ORDER BY wanted.key, spam.id"));
  select.Bind(array);
  return ReadAllSpam(select);
}

absl::Status SqliteStore::CountSpamHit(int64_t id) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteQuery update,
                   database.Query("UPDATE spam SET hits = hits + 1 WHERE id = ?"));
  return update.Bind(id).Run();
}

absl::StatusOr<PolicyContents> SqliteStore::LoadPolicy() {
  const std::lock_guard lock(policy_reader_.mutex);
  SqliteDatabase& database = *policy_reader_.database;
  ASSIGN_OR_RETURN(SqliteTransaction moment, SqliteTransaction::BeginReading(&database));
  PolicyContents contents;
  ASSIGN_OR_RETURN(contents.revision, database.Number("SELECT revision FROM policy"));
  ASSIGN_OR_RETURN(SqliteQuery select,
                   database.Query("SELECT key FROM addresses JOIN users ON users.name = "
                                  "addresses.user WHERE incoming = ? ORDER BY key"));
  select.Bind(int64_t{v1::INCOMING_CALLS_ACCEPT});
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) break;
    contents.accepting.push_back(select.Text(0));
  }
  ASSIGN_OR_RETURN(contents.instructions, ReadInstructions(database));
  return contents;
}

absl::StatusOr<StoreCounts> SqliteStore::Count() {
  const std::lock_guard lock(reader_.mutex);
  SqliteDatabase& database = *reader_.database;
  ASSIGN_OR_RETURN(const int64_t users, database.Number("SELECT count(*) FROM users"));
  ASSIGN_OR_RETURN(const int64_t entries, database.Number("SELECT count(*) FROM spam"));
  return StoreCounts{static_cast<uint64_t>(users), static_cast<uint64_t>(entries)};
}

}  // namespace stem
