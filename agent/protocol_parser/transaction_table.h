// SPDX-License-Identifier: Apache-2.0
// The SIP transactions that have passed the firewall (RFC 3261, 17), so that only their responses
// return and a retransmission is known for one; and the requests the agent answered itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "agent/protocol_parser/call_limits.h"
#include "agent/protocol_parser/deadline_queue.h"
#include "agent/protocol_parser/negotiation.h"
#include "agent/protocol_parser/sip_message.h"
#include "bpf/stem_abi.h"

namespace stem {

// What a transaction is found by: top Via branch and sent-by, method, the side the request came
// from (RFC 3261, 17.1.3), and, because RFC 2543 elements send no unique branch, Call-ID, From tag
// and CSeq, which every response, ACK and CANCEL repeats. `method` is INVITE for ACK and CANCEL
// when their INVITE is looked for.
std::string TransactionKey(const SipMessage& message, std::string_view method,
                           stem_side requested_from);

struct Transaction {
  enum class Kind : uint8_t { kInitialInvite, kInDialog, kCancel, kOutOfDialog };
  enum class Stage : uint8_t {
    kHeld,  // initial INVITE before its decision
    kProceeding,
    kFinal,     // `final_status` has passed
    kIgnored,   // the decision was to drop: retransmissions too
    kTimedOut,  // rang too long: a late answer does not pass
  };

  std::string key;
  uint64_t serial = 0;  // never used twice
  std::string method;
  Kind kind = Kind::kOutOfDialog;
  Stage stage = Stage::kProceeding;
  int final_status = 0;
  uint64_t call = 0;                 // id; 0 outside calls
  std::string callee_tag;            // kInDialog: of the dialog
  Party requester = Party::kCaller;  // kInDialog
  bool offer_known = true;           // false: an earlier agent saw what its request offered
  uint64_t fingerprint = 0;          // bytes and destination of its request; 0: not seen yet
  uint64_t deadline_ns = 0;          // of the DeadlineQueue
};

class TransactionTable {
 public:
  explicit TransactionTable(uint64_t limit) : meter_("transactions", limit) {}

  // What the new transaction is for. Requests outside calls may fill three quarters of the table,
  // so that a flood of them cannot keep a call from being hung up.
  enum class Purpose { kCall, kOutOfDialog };
  // nullptr when there is no room; replaces one with the same key. The pointer is valid until the
  // transaction is erased.
  Transaction* Insert(std::string key, Purpose purpose);
  Transaction* Find(const std::string& key);
  void Erase(Transaction& transaction);

  // Forgets `transaction` at `at_ns`; 0: not by time.
  void ExpireAt(Transaction& transaction, uint64_t at_ns) { queue_.Set(transaction, at_ns); }
  void ExpireDue(uint64_t now_ns);

  const TableUse& use() const { return meter_.use(); }

 private:
  UseMeter meter_;
  uint64_t last_serial_ = 0;
  absl::flat_hash_map<std::string, std::unique_ptr<Transaction>> by_key_;
  DeadlineQueue<Transaction> queue_;
};

// INVITEs the agent answered, so that retransmissions get identical bytes and the ACK goes no
// further (RFC 3261, 17.2.1).
class LocalAnswers {
 public:
  explicit LocalAnswers(uint64_t limit) : meter_("local answers", limit) {}

  // Remembers it until `until_ns`; not when the table is full. The first answer stays.
  void Add(const std::string& key, std::string response, int status, uint64_t until_ns);

  struct Given {
    std::string key;
    std::string response;
    int status = 0;
    uint64_t deadline_ns = 0;  // of the DeadlineQueue
  };
  // nullptr when the agent has not answered it.
  const Given* Find(const std::string& key) const;
  void ExpireDue(uint64_t now_ns);

  const TableUse& use() const { return meter_.use(); }

 private:
  UseMeter meter_;
  absl::flat_hash_map<std::string, std::unique_ptr<Given>> by_key_;
  DeadlineQueue<Given> queue_;
};

}  // namespace stem
