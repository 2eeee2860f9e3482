// SPDX-License-Identifier: Apache-2.0
// What every store must do: the suite runs once for each implementation. Below it, what is SQLite's
// own.
#include "sm/store/store.h"

#include <sys/stat.h>

#include <functional>
#include <thread>

#include "fmt/format.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "sm/store/sqlite_store.h"
#include "tests/unit/scratch_folder.h"
#include "tests/unit/shell.h"
#include "tests/unit/sm/records.h"

namespace stem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Implementation {
  std::string name;
  // Opens the store that lives in this folder.
  std::function<absl::StatusOr<std::unique_ptr<Store>>(const ScratchFolder&, StoreLimits)> open;
};

class StoreTest : public testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen(StoreLimits limits = {}) {
    store_.reset();
    auto opened = GetParam().open(scratch_, limits);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  absl::Status Add(const v1::User& user) { return store_->AddUser(Record(user)); }
  absl::Status Set(const v1::User& user) { return store_->SetUser(Record(user)); }

  std::vector<std::string> Names(const std::string& after = "", uint32_t limit = 100) {
    std::vector<std::string> names;
    const auto users = store_->ListUsers(after, limit);
    EXPECT_TRUE(users.ok()) << users.status();
    for (const v1::User& user : *users) names.push_back(user.name());
    return names;
  }

  std::string Callee(const std::string& key) {
    const auto user = store_->FindCallee(key);
    EXPECT_TRUE(user.ok()) << user.status();
    return user.ok() && user->has_value() ? (*user)->name() : "";
  }

  int64_t Revision() { return store_->LoadPolicy()->revision; }

  ScratchFolder scratch_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, UserComesBackAsItWasAlsoAfterReopening) {
  v1::User user = TestUser("alice", v1::INCOMING_CALLS_REFUSE);
  user.add_uris("sip:al@example.org");
  user.add_locations("sip:alice@198.51.100.20:5060");
  user.add_locations("sip:alice@198.51.100.21");
  user.set_refuse_status(603);
  user.set_refuse_reason("Not today; it's \"Sunday\" ü");
  ASSERT_TRUE(Add(user).ok());
  EXPECT_EQ(store_->GetUser("alice")->SerializeAsString(), user.SerializeAsString());
  Reopen();
  EXPECT_EQ(store_->GetUser("alice")->SerializeAsString(), user.SerializeAsString());
}

TEST_P(StoreTest, NameAndAddressesBelongToOneUser) {
  ASSERT_TRUE(Add(TestUser("alice")).ok());
  EXPECT_EQ(Add(TestUser("alice")), absl::AlreadyExistsError("user alice exists already"));
  v1::User bob = TestUser("bob");
  bob.add_uris("sips:alice@example.org");
  EXPECT_EQ(Add(bob), absl::AlreadyExistsError(
                          "user.uris: sips:alice@example.org belongs to a user already"));
  EXPECT_THAT(Names(), ElementsAre("alice")) << "a failed addition must leave nothing";
  EXPECT_EQ(Callee("sip:bob@example.org"), "");
}

TEST_P(StoreTest, SetReplacesWholeAndKeepsSpamEntries) {
  v1::User user = TestUser("alice");
  user.add_locations("sip:alice@198.51.100.20");
  ASSERT_TRUE(Add(user).ok());
  ASSERT_TRUE(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "a.example", "alice")).ok());
  v1::User changed = TestUser("alice", v1::INCOMING_CALLS_DROP);
  changed.set_uris(0, "sip:al@example.org");
  ASSERT_TRUE(Set(changed).ok());
  EXPECT_EQ(store_->GetUser("alice")->SerializeAsString(), changed.SerializeAsString());
  EXPECT_EQ(Callee("sip:alice@example.org"), "");
  EXPECT_EQ(Callee("sip:alice@198.51.100.20"), "");
  EXPECT_EQ(Callee("sip:al@example.org"), "alice");
  EXPECT_EQ(store_->ListSpam("alice")->size(), 1u);
}

TEST_P(StoreTest, FailedSetChangesNothing) {
  ASSERT_TRUE(Add(TestUser("alice")).ok());
  ASSERT_TRUE(Add(TestUser("bob")).ok());
  const int64_t revision = Revision();
  v1::User changed = TestUser("alice", v1::INCOMING_CALLS_DROP);
  changed.set_uris(0, "sip:bob@example.org");
  EXPECT_EQ(Set(changed).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->GetUser("alice")->SerializeAsString(), TestUser("alice").SerializeAsString());
  EXPECT_EQ(Callee("sip:alice@example.org"), "alice");
  EXPECT_EQ(Revision(), revision);
}

TEST_P(StoreTest, UnknownUsers) {
  EXPECT_EQ(store_->GetUser("x").status(), absl::NotFoundError("there is no user x"));
  EXPECT_EQ(store_->RemoveUser("x").status(), absl::NotFoundError("there is no user x"));
  EXPECT_EQ(Set(TestUser("x")), absl::NotFoundError("there is no user x"));
}

TEST_P(StoreTest, RemovedUserIsGoneWithAddressesAndSpam) {
  ASSERT_TRUE(Add(TestUser("alice")).ok());
  ASSERT_TRUE(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "a.example", "alice")).ok());
  ASSERT_TRUE(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "a.example")).ok());
  EXPECT_EQ(store_->RemoveUser("alice")->uris(0), "sip:alice@example.org");
  EXPECT_EQ(Callee("sip:alice@example.org"), "");
  EXPECT_EQ(store_->ListSpam("")->size(), 1u);
  EXPECT_TRUE(Add(TestUser("alice")).ok());
}

TEST_P(StoreTest, ListsPageByPage) {
  for (const std::string name : {"d", "a", "c", "b", "B"}) ASSERT_TRUE(Add(TestUser(name)).ok());
  EXPECT_THAT(Names("", 2), ElementsAre("B", "a"));
  EXPECT_THAT(Names("a", 2), ElementsAre("b", "c"));
  EXPECT_THAT(Names("c", 2), ElementsAre("d"));
  EXPECT_THAT(Names("d", 2), IsEmpty());
}

TEST_P(StoreTest, AddressComesBeforeLocation) {
  v1::User zoe = TestUser("zoe");
  zoe.add_locations("sip:alice@example.org");
  zoe.add_locations("sip:shared@198.51.100.9");
  v1::User yan = TestUser("yan");
  yan.add_locations("sip:shared@198.51.100.9");
  ASSERT_TRUE(Add(zoe).ok());
  EXPECT_EQ(Callee("sip:alice@example.org"), "zoe");
  ASSERT_TRUE(Add(TestUser("alice")).ok());
  ASSERT_TRUE(Add(yan).ok());
  EXPECT_EQ(Callee("sip:alice@example.org"), "alice");
  EXPECT_EQ(Callee("sip:shared@198.51.100.9"), "yan") << "the first by name";
}

TEST_P(StoreTest, ForwardsNeverGoInCircles) {
  ASSERT_TRUE(Add(ForwardingUser("a", "sip:b@example.org")).ok()) << "b may come later";
  ASSERT_TRUE(Add(ForwardingUser("b", "sip:c@example.org")).ok());
  const absl::Status closed = Add(ForwardingUser("c", "sip:a@example.org"));
  EXPECT_EQ(closed, absl::FailedPreconditionError(
                        "user.forward_to: calls forwarded to sip:a@example.org come back to c; "
                        "forward them elsewhere"));
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
  ASSERT_TRUE(Add(TestUser("c")).ok());
  EXPECT_EQ(Set(ForwardingUser("c", "sip:b@example.org")).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Set(ForwardingUser("c", "sip:elsewhere@other.example")).ok());
  // A forwarding user who takes over an address that leads to it.
  v1::User b = ForwardingUser("b", "sip:c@example.org");
  b.add_uris("sip:elsewhere@example.org");
  ASSERT_TRUE(Set(ForwardingUser("c", "sip:elsewhere@example.org")).ok());
  EXPECT_EQ(Set(b).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(StoreTest, SpamEntries) {
  ASSERT_TRUE(Add(TestUser("alice")).ok());
  SpamRecord record = Spam(v1::SPAM_KIND_DOMAIN, "spam.example");
  record.entry.set_comment("robocalls");
  const auto first = store_->AddSpam(record);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(first->id(), 0);
  EXPECT_EQ(first->hits(), 0);
  EXPECT_EQ(store_->AddSpam(record).status().code(), absl::StatusCode::kAlreadyExists);
  const auto own = store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "spam.example", "alice"));
  ASSERT_TRUE(own.ok()) << "the same entry for one user";
  EXPECT_EQ(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "x.example", "bob")).status(),
            absl::NotFoundError("there is no user bob"));

  ASSERT_TRUE(store_->CountSpamHit(first->id()).ok());
  ASSERT_TRUE(store_->CountSpamHit(first->id()).ok());
  ASSERT_TRUE(store_->CountSpamHit(424242).ok());
  const auto all = store_->ListSpam("");
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].hits(), 2);
  EXPECT_EQ((*all)[0].comment(), "robocalls");
  EXPECT_EQ((*all)[0].kind(), v1::SPAM_KIND_DOMAIN);
  EXPECT_EQ((*all)[1].user(), "alice");
  EXPECT_EQ(store_->ListSpam("alice")->size(), 1u);

  EXPECT_EQ(store_->RemoveSpam(first->id())->hits(), 2);
  EXPECT_EQ(store_->RemoveSpam(first->id()).status(),
            absl::NotFoundError(fmt::format("there is no spam entry {}", first->id())));
  const auto again = store_->AddSpam(record);
  ASSERT_TRUE(again.ok());
  EXPECT_GT(again->id(), own->id()) << "an id is never used again";
}

TEST_P(StoreTest, FindsSpamInTheOrderOfTheKeys) {
  const SpamRecord domain = Spam(v1::SPAM_KIND_DOMAIN, "spam.example");
  const SpamRecord prefix = Spam(v1::SPAM_KIND_PREFIX, "203.0.113.0/24");
  const std::string awkward = "uri sip:it's-\"me\"@x.example'--";
  for (const SpamRecord& record : {prefix, domain}) ASSERT_TRUE(store_->AddSpam(record).ok());
  const auto found = store_->FindSpam({awkward, domain.key, "\xff\xfe", prefix.key});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].value(), "spam.example");
  EXPECT_EQ((*found)[1].value(), "203.0.113.0/24");
  EXPECT_THAT(*store_->FindSpam({}), IsEmpty());
}

TEST_P(StoreTest, PolicyHoldsWhoAcceptsAndChangesWithEveryUser) {
  EXPECT_THAT(store_->LoadPolicy()->accepting, IsEmpty());
  int64_t before = Revision();
  const auto changed = [&] {
    const int64_t now = Revision();
    const bool grew = now > before;
    before = now;
    return grew;
  };
  ASSERT_TRUE(Add(TestUser("zoe")).ok());
  EXPECT_TRUE(changed());
  v1::User alice = TestUser("alice");
  alice.add_uris("sip:al@example.org");
  ASSERT_TRUE(Add(alice).ok());
  EXPECT_TRUE(changed());
  EXPECT_THAT(store_->LoadPolicy()->accepting,
              ElementsAre("sip:al@example.org", "sip:alice@example.org", "sip:zoe@example.org"));
  ASSERT_TRUE(Set(TestUser("zoe", v1::INCOMING_CALLS_DROP)).ok());
  EXPECT_TRUE(changed());
  ASSERT_TRUE(store_->RemoveUser("alice").ok());
  EXPECT_TRUE(changed());
  EXPECT_THAT(store_->LoadPolicy()->accepting, IsEmpty());
  ASSERT_TRUE(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "a.example")).ok());
  EXPECT_FALSE(changed());
  Reopen();
  EXPECT_FALSE(changed());
}

TEST_P(StoreTest, AnInstructionTakesThePlaceOfTheOneBefore) {
  const auto put = [&](const std::string& key, const std::string& comment, int64_t until = 0) {
    InstructionRecord record;
    record.key = key;
    record.instruction.mutable_block()->set_source(key);
    record.instruction.set_comment(comment);
    record.instruction.set_until_unix_ms(until);
    const auto stored = store_->PutInstruction(record, 1000);
    EXPECT_TRUE(stored.ok()) << stored.status();
    return stored->id();
  };
  const auto comments = [&] {
    std::vector<std::string> all;
    const auto listed = store_->ListInstructions();
    EXPECT_TRUE(listed.ok()) << listed.status();
    for (const v1::Instruction& instruction : *listed) all.push_back(instruction.comment());
    return all;
  };
  const int64_t before = Revision();
  const int64_t first = put("a", "first");
  put("b", "other", 500);
  put("a", "second");
  EXPECT_THAT(comments(), ElementsAre("second")) << "the other had expired";
  EXPECT_GT(Revision(), before);
  EXPECT_EQ(store_->LoadPolicy()->instructions.size(), 1u);
  EXPECT_EQ(store_->RemoveInstruction(first).status().code(), absl::StatusCode::kNotFound);
  Reopen();
  ASSERT_THAT(comments(), ElementsAre("second"));
  const auto removed = store_->RemoveInstruction(store_->ListInstructions()->front().id());
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->block().source(), "a");
  EXPECT_THAT(comments(), IsEmpty());
  Reopen({.instructions = 1});
  put("a", "fits");
  EXPECT_EQ(store_->PutInstruction({{}, "b"}, 1000).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_P(StoreTest, LimitsAreKept) {
  Reopen({.users = 2, .spam_entries = 1});
  ASSERT_TRUE(Add(TestUser("a")).ok());
  ASSERT_TRUE(Add(TestUser("b")).ok());
  EXPECT_EQ(Add(TestUser("c")),
            absl::ResourceExhaustedError("there are 2 users already, the configured limit"));
  ASSERT_TRUE(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "a.example")).ok());
  EXPECT_EQ(store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "b.example")).status(),
            absl::ResourceExhaustedError("there are 1 spam entries already, the configured limit"));
  EXPECT_EQ(store_->Count()->users, 2u);
  EXPECT_EQ(store_->Count()->spam_entries, 1u);
}

TEST_P(StoreTest, ThreadsReadAndWriteTogether) {
  ASSERT_TRUE(Add(TestUser("alice")).ok());
  const int64_t spam = store_->AddSpam(Spam(v1::SPAM_KIND_DOMAIN, "a.example"))->id();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        EXPECT_TRUE(Add(TestUser(fmt::format("u{}-{}", t, i))).ok());
        EXPECT_EQ(Callee("sip:alice@example.org"), "alice");
        EXPECT_TRUE(store_->CountSpamHit(spam).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Count()->users, 101u);
  EXPECT_EQ((*store_->ListSpam(""))[0].hits(), 100);
}

absl::StatusOr<std::unique_ptr<Store>> OpenSqlite(const ScratchFolder& folder, StoreLimits limits) {
  return SqliteStore::Open(folder / "sm.db", limits);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, testing::Values(Implementation{"Sqlite", OpenSqlite}),
                         [](const auto& info) { return info.param.name; });

class SqliteStoreTest : public testing::Test {
 protected:
  std::string Refusal() {
    const auto store = SqliteStore::Open(path_, {});
    EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition) << store.status();
    return std::string(store.status().message());
  }

  ScratchFolder scratch_;
  const std::string path_ = scratch_ / "sm.db";
};

TEST_F(SqliteStoreTest, FileIsItsOwnersAndInWalMode) {
  const mode_t before = umask(0);
  auto store = SqliteStore::Open(path_, {});
  umask(before);
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*store)->AddUser(Record(TestUser("alice"))).ok());
  for (const std::string suffix : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
  EXPECT_THAT(Shell("sqlite3 " + path_ + " 'pragma journal_mode; pragma integrity_check;'").text,
              "wal\nok\n");
}

TEST_F(SqliteStoreTest, UpgradesTheSchemaOfAnOlderVersion) {
  ASSERT_TRUE(SqliteStore::Open(path_, {}).ok());
  ASSERT_EQ(
      Shell("sqlite3 " + path_ + " 'drop table instructions; pragma user_version = 1'").exit_code,
      0);
  const auto store = SqliteStore::Open(path_, {});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT(*(*store)->ListInstructions(), IsEmpty());
}

TEST_F(SqliteStoreTest, RefusesANewerSchema) {
  ASSERT_TRUE(SqliteStore::Open(path_, {}).ok());
  ASSERT_EQ(Shell("sqlite3 " + path_ + " 'pragma user_version = 99'").exit_code, 0);
  EXPECT_EQ(Refusal(), path_ +
                           ": the database has version 99, this stem-sm knows up to 2; "
                           "start the newer one");
}

TEST_F(SqliteStoreTest, RefusesAnotherProgramsDatabase) {
  ASSERT_EQ(Shell("sqlite3 " + path_ + " 'create table cookies (a)'").exit_code, 0);
  EXPECT_EQ(Refusal(), path_ + ": the database belongs to another program");
}

TEST_F(SqliteStoreTest, RefusesWhatIsNoDatabase) {
  ASSERT_EQ(Shell("yes no-database | head -c 8192 > " + path_).exit_code, 0);
  const auto store = SqliteStore::Open(path_, {});
  EXPECT_EQ(store.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(store.status().message()), HasSubstr("file is not a database"));
  EXPECT_EQ(SqliteStore::Open(scratch_ / "no/sm.db", {}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(SqliteStoreTest, SaysWhenAnotherProcessHoldsTheDatabase) {
  auto store = SqliteStore::Open(path_, {});
  ASSERT_TRUE(store.ok());
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_EQ((*store)->AddUser(Record(TestUser("alice"))).code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE((*store)->FindCallee("sip:alice@example.org").ok()) << "reading goes on";
  sqlite3_close(other);
  EXPECT_TRUE((*store)->AddUser(Record(TestUser("alice"))).ok());
}

}  // namespace
}  // namespace stem
