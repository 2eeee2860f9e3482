// SPDX-License-Identifier: Apache-2.0
// What the security manager remembers: users, their addresses and profiles, spam entries.
//
// Keys are canonical forms made by the caller (common/sip_uri.h, sm/spam_key.h); the store compares
// them byte by byte and knows nothing of SIP. Every method is one transaction: on error nothing has
// changed. Thread-safe. Errors besides those named: UNAVAILABLE when another process holds the
// database too long, INTERNAL for a damaged database or a full disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "stem/v1/admin.pb.h"
#include "stem/v1/instruction.pb.h"

namespace stem {

struct StoreLimits {
  uint64_t users = 100'000;
  uint64_t spam_entries = 100'000;
  uint64_t instructions = 10'000;
};

struct UserRecord {
  v1::User user;
  std::vector<std::string> address_keys;   // of user.uris, in their order
  std::vector<std::string> location_keys;  // of user.locations, in their order
  std::string forward_key;                 // of user.forward_to; empty without one
};

struct SpamRecord {
  v1::SpamEntry entry;  // id and hits are not read
  std::string key;      // of kind and value
};

struct InstructionRecord {
  v1::Instruction instruction;  // id is not read
  std::string key;              // of what it is about
};

// What firewalls keep a copy of.
struct PolicyContents {
  int64_t revision = 0;                       // grows with every change of a user or an instruction
  std::vector<std::string> accepting;         // address keys of users who accept calls, sorted
  std::vector<v1::Instruction> instructions;  // by id; expired ones may be among them
};

struct StoreCounts {
  uint64_t users = 0;
  uint64_t spam_entries = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // ALREADY_EXISTS when the name or an address belongs to somebody; FAILED_PRECONDITION when
  // following forwards from this user leads back to it; RESOURCE_EXHAUSTED at the limit.
  virtual absl::Status AddUser(const UserRecord& record) = 0;

  // Replaces the user of that name whole, except for the spam entries that protect it. NOT_FOUND,
  // and as AddUser.
  virtual absl::Status SetUser(const UserRecord& record) = 0;

  // Removes the user and its spam entries, and returns what it was. NOT_FOUND.
  virtual absl::StatusOr<v1::User> RemoveUser(std::string_view name) = 0;

  virtual absl::StatusOr<v1::User> GetUser(std::string_view name) = 0;  // NOT_FOUND

  // At most `limit` users whose names come after `after`, by name.
  virtual absl::StatusOr<std::vector<v1::User>> ListUsers(std::string_view after,
                                                          uint32_t limit) = 0;

  // Who is called at `key`: the user who has it as address, else the first by name who has it as
  // location.
  virtual absl::StatusOr<std::optional<v1::User>> FindCallee(std::string_view key) = 0;

  // Returns the entry as stored, with its id. ALREADY_EXISTS for the same key and user, NOT_FOUND
  // when entry.user does not exist, RESOURCE_EXHAUSTED at the limit.
  virtual absl::StatusOr<v1::SpamEntry> AddSpam(const SpamRecord& record) = 0;
  virtual absl::StatusOr<v1::SpamEntry> RemoveSpam(int64_t id) = 0;  // NOT_FOUND

  // By id: all entries, or those that protect `user` alone.
  virtual absl::StatusOr<std::vector<v1::SpamEntry>> ListSpam(std::string_view user) = 0;

  // The entries with one of `keys`, those for everybody and those for single users alike, in the
  // order of `keys`.
  virtual absl::StatusOr<std::vector<v1::SpamEntry>> FindSpam(
      const std::vector<std::string>& keys) = 0;

  // Adds one to the hits of an entry; OK when it was removed meanwhile.
  virtual absl::Status CountSpamHit(int64_t id) = 0;

  // Returns the instruction as stored, with its id; one with the same key is replaced, and what
  // expired before `now_unix_ms` is forgotten. RESOURCE_EXHAUSTED at the limit.
  virtual absl::StatusOr<v1::Instruction> PutInstruction(const InstructionRecord& record,
                                                         int64_t now_unix_ms) = 0;
  virtual absl::StatusOr<v1::Instruction> RemoveInstruction(int64_t id) = 0;    // NOT_FOUND
  virtual absl::StatusOr<std::vector<v1::Instruction>> ListInstructions() = 0;  // by id

  virtual absl::StatusOr<PolicyContents> LoadPolicy() = 0;
  virtual absl::StatusOr<StoreCounts> Count() = 0;

  // Where it is, for people.
  virtual std::string Description() const = 0;
};

}  // namespace stem
