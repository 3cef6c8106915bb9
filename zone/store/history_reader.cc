#include <utility>

#include "zone/store/columns.h"
#include "zone/store/connection.h"
#include "zone/store/store.h"

namespace dnsd::store {

namespace {

// Each row's number is larger than the one's before it: what an older life of the zone left behind
// is no part of the chain.
constexpr std::string_view next_text =
    "SELECT namespace, serial_from, serial_to, committed, removed, added, id FROM differences "
    "WHERE namespace = ?1 AND serial_from = ?2 AND id > ?3";

class SqliteHistoryReader final : public HistoryReader {
  public:
    explicit SqliteHistoryReader(std::unique_ptr<Connection> connection)
        : connection_(std::move(connection)) {}

    Result<> prepare() {
        auto next = Statement::prepare(*connection_, next_text);
        if (!next) return std::unexpected(next.error());
        next_ = std::move(*next);
        return {};
    }

    Result<std::vector<DifferenceRow>> after(const std::string& namespace_name,
                                             std::uint32_t from) override {
        std::vector<DifferenceRow> chain;
        std::uint64_t id = 0;
        for (;;) {
            put(*next_, 1, namespace_name);
            put(*next_, 2, chain.empty() ? from : chain.back().to);
            put(*next_, 3, id);
            const auto found = next_->step();
            if (!found) return in_context("read differences", found.error());
            if (!*found) break;
            auto row = take_row<DifferenceRow>(*next_);
            id = static_cast<std::uint64_t>(next_->number(6));
            next_->reset();
            if (!row) return in_context("read differences", row.error());
            chain.push_back(std::move(*row));
        }
        next_->reset();
        return chain;
    }

  private:
    const std::unique_ptr<Connection> connection_;
    std::unique_ptr<Statement> next_;
};

}  // namespace

Result<std::unique_ptr<HistoryReader>> HistoryReader::open(const std::string& path) {
    auto connection = Connection::open(path, Connection::Mode::ReadOnly);
    if (!connection) return in_context("read differences: " + path, std::move(connection.error()));
    auto reader = std::make_unique<SqliteHistoryReader>(std::move(*connection));
    if (auto prepared = reader->prepare(); !prepared)
        return in_context("read differences: " + path, std::move(prepared.error()));
    return reader;
}

}  // namespace dnsd::store
