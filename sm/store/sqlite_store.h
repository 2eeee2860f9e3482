// SPDX-License-Identifier: Apache-2.0
// The store in one SQLite file, embedded: for one security manager.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "sm/store/sqlite_database.h"
#include "sm/store/store.h"

namespace stem {

class SqliteStore : public Store {
 public:
  // Opens the file, creating or upgrading it. FAILED_PRECONDITION for a database of a newer
  // stem-sm or of another program; NOT_FOUND or PERMISSION_DENIED when the file cannot be had.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& path,
                                                           StoreLimits limits);

  absl::Status AddUser(const UserRecord& record) override;
  absl::Status SetUser(const UserRecord& record) override;
  absl::StatusOr<v1::User> RemoveUser(std::string_view name) override;
  absl::StatusOr<v1::User> GetUser(std::string_view name) override;
  absl::StatusOr<std::vector<v1::User>> ListUsers(std::string_view after, uint32_t limit) override;
  absl::StatusOr<std::optional<v1::User>> FindCallee(std::string_view key) override;
  absl::StatusOr<v1::SpamEntry> AddSpam(const SpamRecord& record) override;
  absl::StatusOr<v1::SpamEntry> RemoveSpam(int64_t id) override;
  absl::StatusOr<std::vector<v1::SpamEntry>> ListSpam(std::string_view user) override;
  absl::StatusOr<std::vector<v1::SpamEntry>> FindSpam(
      const std::vector<std::string>& keys) override;
  absl::Status CountSpamHit(int64_t id) override;
  absl::StatusOr<v1::Instruction> PutInstruction(const InstructionRecord& record,
                                                 int64_t now_unix_ms) override;
  absl::StatusOr<v1::Instruction> RemoveInstruction(int64_t id) override;
  absl::StatusOr<std::vector<v1::Instruction>> ListInstructions() override;
  absl::StatusOr<PolicyContents> LoadPolicy() override;
  absl::StatusOr<StoreCounts> Count() override;
  std::string Description() const override { return path_; }

 private:
  // In WAL mode readers never wait for a writer, so reading has connections of its own: a decision
  // waits neither for an administrator's change nor for the reading of a whole policy. What reads
  // with more than one statement does so in a transaction, to see one moment.
  struct Connection {
    std::mutex mutex;
    std::unique_ptr<SqliteDatabase> database;
  };

  SqliteStore(std::string path, StoreLimits limits);
  absl::Status Connect(Connection& connection) const;

  // These run with writer_'s mutex held, within a transaction.
  absl::Status WriteAddresses(const UserRecord& record);
  absl::Status CheckForwards(const UserRecord& record);
  absl::Status FinishPolicyChange(SqliteTransaction& transaction);

  const std::string path_;
  const StoreLimits limits_;
  Connection writer_;
  Connection reader_;
  Connection policy_reader_;
};

}  // namespace stem
