// SPDX-License-Identifier: Apache-2.0
#include "agent/protocol_parser/transaction_table.h"

#include <utility>

#include "fmt/format.h"

namespace stem {
namespace {

constexpr size_t kLongestKey = 512;

}  // namespace

std::string TransactionKey(const SipMessage& message, std::string_view method,
                           stem_side requested_from) {
  // Header fields hold no line ends once unfolded, so the parts cannot run into each other. The
  // sender chooses how long they are, but not how much is kept of them.
  return Identifier(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", static_cast<int>(requested_from),
                                method, message.branch(), message.sent_by(), message.call_id(),
                                message.from().tag, message.cseq()),
                    kLongestKey);
}

Transaction* TransactionTable::Insert(std::string key, Purpose purpose) {
  const uint64_t limit = meter_.use().limit;
  if (purpose == Purpose::kOutOfDialog && meter_.use().used >= limit - limit / 4) {
    meter_.Refuse();
    return nullptr;
  }
  if (Transaction* old = Find(key)) Erase(*old);
  if (!meter_.Take()) return nullptr;
  auto transaction = std::make_unique<Transaction>();
  transaction->key = key;
  transaction->serial = ++last_serial_;
  return by_key_.insert_or_assign(std::move(key), std::move(transaction)).first->second.get();
}

Transaction* TransactionTable::Find(const std::string& key) {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : at->second.get();
}

void TransactionTable::Erase(Transaction& transaction) {
  queue_.Set(transaction, 0);
  meter_.Give();
  // The key lives in the transaction that goes away with it.
  const std::string key = transaction.key;
  by_key_.erase(key);
}

void TransactionTable::ExpireDue(uint64_t now_ns) {
  while (Transaction* due = queue_.PopDue(now_ns)) Erase(*due);
}

void LocalAnswers::Add(const std::string& key, std::string response, int status,
                       uint64_t until_ns) {
  if (by_key_.contains(key) || !meter_.Take()) return;
  auto given = std::make_unique<Given>(Given{key, std::move(response), status});
  queue_.Set(*given, until_ns);
  by_key_.insert_or_assign(key, std::move(given));
}

const LocalAnswers::Given* LocalAnswers::Find(const std::string& key) const {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? nullptr : at->second.get();
}

void LocalAnswers::ExpireDue(uint64_t now_ns) {
  while (const Given* due = queue_.PopDue(now_ns)) {
    const std::string key = due->key;
    by_key_.erase(key);
    meter_.Give();
  }
}

}  // namespace stem
