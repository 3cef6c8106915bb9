#include <algorithm>
#include <limits>
#include <utility>

#include "zone/store/columns.h"
#include "zone/store/connection.h"
#include "zone/store/store.h"

namespace dnsd::store {

namespace {

constexpr model::Revision revision_max = std::numeric_limits<std::int64_t>::max();

// Revisions are the key: a page is a range of it. The filter looks at each row of the range; the
// ring bounds how many those are, and an index would cost every registration.
constexpr std::string_view filter_text =
    " AND (?2 = '' OR namespace = ?2) AND (?3 = '' OR service = ?3) ORDER BY revision ";

class SqliteEventReader final : public EventReader {
  public:
    explicit SqliteEventReader(std::unique_ptr<Connection> connection)
        : connection_(std::move(connection)) {}

    Result<> prepare() {
        const std::string select = select_text<model::Event>();
        auto after =
            Statement::prepare(*connection_, select + "WHERE revision > ?1" +
                                                 std::string(filter_text) + "ASC LIMIT ?4");
        if (!after) return std::unexpected(after.error());
        auto before =
            Statement::prepare(*connection_, select + "WHERE revision < ?1" +
                                                 std::string(filter_text) + "DESC LIMIT ?4");
        if (!before) return std::unexpected(before.error());
        after_ = std::move(*after);
        before_ = std::move(*before);
        return {};
    }

    Result<std::vector<model::Event>> after(model::Revision after, std::size_t limit,
                                            const Filter& filter) override {
        return page(*after_, after, limit, filter);
    }

    Result<std::vector<model::Event>> before(model::Revision before, std::size_t limit,
                                             const Filter& filter) override {
        return page(*before_, before == 0 ? revision_max : before, limit, filter);
    }

    Result<model::Revision> oldest() override {
        const auto revision = connection_->number("SELECT min(revision) FROM events");
        if (!revision) return in_context("read events", revision.error());
        return static_cast<model::Revision>(*revision);
    }

  private:
    static Result<std::vector<model::Event>> page(Statement& statement, model::Revision bound,
                                                  std::size_t limit, const Filter& filter) {
        put(statement, 1, std::min(bound, revision_max));
        put(statement, 2, filter.namespace_name);
        put(statement, 3, filter.service);
        put(statement, 4, std::min(limit, std::size_t{revision_max}));
        auto events = take_rows<model::Event>(statement);
        if (!events) return in_context("read events", std::move(events.error()));
        return events;
    }

    const std::unique_ptr<Connection> connection_;
    std::unique_ptr<Statement> after_, before_;
};

}  // namespace

Result<std::unique_ptr<EventReader>> EventReader::open(const std::string& path) {
    auto connection = Connection::open(path, Connection::Mode::ReadOnly);
    if (!connection) return in_context("read events: " + path, std::move(connection.error()));
    auto reader = std::make_unique<SqliteEventReader>(std::move(*connection));
    if (auto prepared = reader->prepare(); !prepared)
        return in_context("read events: " + path, std::move(prepared.error()));
    return reader;
}

}  // namespace dnsd::store
