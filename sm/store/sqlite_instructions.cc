// SPDX-License-Identifier: Apache-2.0
#include "sm/store/sqlite_instructions.h"

#include <google/protobuf/util/json_util.h>

#include <string>

#include "common/status_macros.h"
#include "fmt/format.h"
#include "sm/store/sqlite_store.h"

namespace stem {
namespace {

namespace json = google::protobuf::util;

// Columns id, message.
absl::StatusOr<v1::Instruction> ReadInstruction(const SqliteQuery& query) {
  v1::Instruction instruction;
  json::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const auto parsed = json::JsonStringToMessage(query.Text(1), &instruction, options);
  if (!parsed.ok()) {
    return absl::InternalError(fmt::format("instruction {} in the database cannot be read: {}",
                                           query.Integer(0), parsed.ToString()));
  }
  instruction.set_id(query.Integer(0));
  return instruction;
}

}  // namespace

absl::StatusOr<std::vector<v1::Instruction>> ReadInstructions(SqliteDatabase& database) {
  ASSIGN_OR_RETURN(SqliteQuery select,
                   database.Query("SELECT id, message FROM instructions ORDER BY id"));
  std::vector<v1::Instruction> instructions;
  for (;;) {
    ASSIGN_OR_RETURN(const bool row, select.Step());
    if (!row) return instructions;
    ASSIGN_OR_RETURN(v1::Instruction instruction, ReadInstruction(select));
    instructions.push_back(std::move(instruction));
  }
}

absl::StatusOr<v1::Instruction> SqliteStore::PutInstruction(const InstructionRecord& record,
                                                            int64_t now_unix_ms) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  ASSIGN_OR_RETURN(SqliteQuery forget,
                   database.Query("DELETE FROM instructions WHERE key = ? OR "
                                  "(until_unix_ms != 0 AND until_unix_ms <= ?)"));
  RETURN_IF_ERROR(forget.Bind(record.key).Bind(now_unix_ms).Run());
  ASSIGN_OR_RETURN(const int64_t count, database.Number("SELECT count(*) FROM instructions"));
  if (static_cast<uint64_t>(count) >= limits_.instructions) {
    return absl::ResourceExhaustedError(fmt::format(
        "there are {} instructions already, the configured limit", limits_.instructions));
  }
  std::string message;
  if (const auto written = json::MessageToJsonString(record.instruction, &message); !written.ok()) {
    return absl::InternalError(written.ToString());
  }
  ASSIGN_OR_RETURN(
      SqliteQuery insert,
      database.Query("INSERT INTO instructions (key, until_unix_ms, message) VALUES (?, ?, ?)"));
  RETURN_IF_ERROR(
      insert.Bind(record.key).Bind(record.instruction.until_unix_ms()).Bind(message).Run());
  v1::Instruction stored = record.instruction;
  stored.set_id(database.last_insert_id());
  RETURN_IF_ERROR(FinishPolicyChange(transaction));
  return stored;
}

absl::StatusOr<v1::Instruction> SqliteStore::RemoveInstruction(int64_t id) {
  const std::lock_guard lock(writer_.mutex);
  SqliteDatabase& database = *writer_.database;
  ASSIGN_OR_RETURN(SqliteTransaction transaction, SqliteTransaction::Begin(&database));
  v1::Instruction instruction;
  {
    ASSIGN_OR_RETURN(SqliteQuery remove,
                     database.Query("DELETE FROM instructions WHERE id = ? RETURNING id, message"));
    ASSIGN_OR_RETURN(const bool row, remove.Bind(id).Step());
    if (!row) return absl::NotFoundError(fmt::format("there is no instruction {}", id));
    ASSIGN_OR_RETURN(instruction, ReadInstruction(remove));
    RETURN_IF_ERROR(remove.Run());
  }
  RETURN_IF_ERROR(FinishPolicyChange(transaction));
  return instruction;
}

absl::StatusOr<std::vector<v1::Instruction>> SqliteStore::ListInstructions() {
  const std::lock_guard lock(reader_.mutex);
  return ReadInstructions(*reader_.database);
}

}  // namespace stem
