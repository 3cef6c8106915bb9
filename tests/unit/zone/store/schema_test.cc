#include "zone/store/schema.h"

#include <doctest/doctest.h>

#include <vector>

#include "tests/unit/zone/store/rows.h"

using namespace dnsd;
using namespace dnsd::store;

namespace {

std::unique_ptr<Connection> must_connect(const std::string& path) {
    auto connection = Connection::open(path, Connection::Mode::Create);
    if (!connection) FAIL(connection.error().message);
    return std::move(*connection);
}

// What is there, and a migration that a later version might bring.
std::vector<Migration> with_one_more(const char* sql) {
    std::vector<Migration> steps(migrations().begin(), migrations().end());
    steps.push_back({sql});
    return steps;
}

}  // namespace

TEST_CASE("each migration raises the version by one, once") {
    const Folder folder;
    const auto connection = must_connect(folder.file());
    CHECK(migrate(*connection, {}));
    CHECK(connection->number("PRAGMA user_version") == 0);
    CHECK(migrate(*connection, migrations()));
    CHECK(connection->number("PRAGMA user_version") ==
          static_cast<std::int64_t>(migrations().size()));
    CHECK(migrate(*connection, migrations()));
}

TEST_CASE("a store of this version keeps its rows through the next migration") {
    const Folder folder;
    {
        const auto store = must_open(folder.file());
        REQUIRE(store->begin());
        CHECK(store->save(full_namespace()));
        REQUIRE(store->commit());
    }
    const auto connection = must_connect(folder.file());
    const auto steps = with_one_more("ALTER TABLE namespaces ADD COLUMN owner TEXT");
    CHECK(migrate(*connection, steps));
    CHECK(connection->number("PRAGMA user_version") == static_cast<std::int64_t>(steps.size()));
    CHECK(connection->number("SELECT count(*) FROM namespaces WHERE owner IS NULL") == 1);
}

TEST_CASE("a migration that fails leaves the version before it, and says which it was") {
    const Folder folder;
    const auto connection = must_connect(folder.file());
    const auto steps = with_one_more(
        "ALTER TABLE namespaces ADD COLUMN owner TEXT; INSERT INTO nowhere VALUES (1)");
    const auto done = migrate(*connection, steps);
    REQUIRE_FALSE(done);
    CHECK(done.error().message.starts_with("migrate to " + std::to_string(steps.size()) + ": "));
    CHECK(connection->number("PRAGMA user_version") ==
          static_cast<std::int64_t>(migrations().size()));
    CHECK_FALSE(connection->number("SELECT owner FROM namespaces"));
    CHECK_FALSE(connection->in_transaction());
}
