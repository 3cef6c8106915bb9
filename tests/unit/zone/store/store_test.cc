#include "zone/store/store.h"

#include <doctest/doctest.h>

#include "tests/unit/zone/store/rows.h"

using namespace dnsd;
using namespace dnsd::store;
using namespace std::chrono_literals;

namespace {

void commit_parents(Store& store) {
    REQUIRE(store.begin());
    REQUIRE(store.save(full_namespace()));
    REQUIRE(store.save(full_service()));
    REQUIRE(store.commit());
}

std::unique_ptr<EventReader> must_read(const std::string& path) {
    auto reader = EventReader::open(path);
    if (!reader) FAIL(reader.error().message);
    return std::move(*reader);
}

std::vector<model::Revision> revisions(const Result<std::vector<model::Event>>& events) {
    REQUIRE(events);
    std::vector<model::Revision> out;
    for (const auto& event : *events) out.push_back(event.revision);
    return out;
}

std::vector<InstanceRow> all_instances(Store& store) {
    std::vector<InstanceRow> rows;
    REQUIRE(store.load_instances([&](InstanceRow row) { rows.push_back(std::move(row)); }));
    return rows;
}

std::vector<RecordsRow> all_records(Store& store) {
    std::vector<RecordsRow> rows;
    REQUIRE(store.load_records([&](RecordsRow row) { rows.push_back(std::move(row)); }));
    return rows;
}

}  // namespace

TEST_CASE("a new store is empty, and every field of every row survives a restart") {
    const Folder folder;
    {
        const auto store = must_open(folder.file());
        const auto contents = store->load();
        REQUIRE(contents);
        CHECK(contents->revision == 0);
        CHECK(contents->namespaces.empty());
        REQUIRE(store->begin());
        CHECK(store->save(full_namespace()));
        CHECK(store->save(full_service()));
        CHECK(store->save(full_instance()));
        CHECK(store->set_revision(17));
        CHECK(store->commit());
    }
    const auto store = must_open(folder.file());
    const auto contents = store->load();
    REQUIRE(contents);
    CHECK(contents->revision == 17);
    CHECK((contents->namespaces == std::vector{full_namespace()}));
    CHECK((contents->services == std::vector{full_service()}));
    CHECK((all_instances(*store) == std::vector{full_instance()}));
}

TEST_CASE("record sets and keys survive a restart, and go one by one or with their zone") {
    const Folder folder;
    const std::vector<std::uint8_t> apex{1, 'O', 0}, www{3, 'W', 'w', 'w', 0};
    const RecordsRow soa{"example.org", apex, 6, 300, {0, 2, 1, 2}};
    const RecordsRow a{"example.org", www, 1, 2'147'483'647, {0, 4, 192, 0, 2, 1}};
    const RecordsRow unknown{"example.org", www, 65'535, 0, {0, 0}};
    const KeyRow key{"k.example.org", "hmac-sha256", {0, 255, 7}, 12};
    {
        const auto store = must_open(folder.file());
        commit_parents(*store);
        REQUIRE(store->begin());
        CHECK(store->save(RecordsRow{"example.org", www, 1, 5, {0, 4, 9, 9, 9, 9}}));
        for (const RecordsRow& row : {soa, a, unknown}) CHECK(store->save(row));
        CHECK(store->save(key));
        CHECK(store->save(KeyRow{"gone", "hmac-sha512", {1}, 1}));
        CHECK(store->remove_key("gone"));
        CHECK(store->commit());
    }
    const auto store = must_open(folder.file());
    const auto contents = store->load();
    REQUIRE(contents);
    CHECK((contents->keys == std::vector{key}));
    CHECK((all_records(*store) == std::vector{soa, a, unknown}));
    REQUIRE(store->begin());
    CHECK(store->remove_records("example.org", www, 1));
    CHECK(store->commit());
    CHECK((all_records(*store) == std::vector{soa, unknown}));
    REQUIRE(store->begin());
    CHECK(store->remove_all_records("example.org"));
    CHECK(store->save(a));
    CHECK(store->commit());
    CHECK((all_records(*store) == std::vector{a}));
    REQUIRE(store->begin());
    CHECK(store->remove_service("example.org", "web"));
    CHECK(store->remove_namespace("example.org"));
    CHECK(store->commit());
    CHECK(all_records(*store).empty());
}

TEST_CASE("differences are chained from a serial, and forgotten by number, age and on demand") {
    const Folder folder;
    const auto store = must_open(folder.file());
    commit_parents(*store);
    const WallTime begun(std::chrono::hours(1'000));
    const auto step = [&](std::uint32_t from) {
        return DifferenceRow{"example.org", from,  from + 1, begun + from * std::chrono::minutes(1),
                             {0, 1},        {2, 3}};
    };
    const auto reader = HistoryReader::open(folder.file());
    REQUIRE(reader);
    const auto after = [&](std::uint32_t from) {
        const auto rows = (*reader)->after("example.org", from);
        REQUIRE(rows);
        return *rows;
    };
    const auto append = [&](const DifferenceRow& row, HistoryLimits limits = {}) {
        REQUIRE(store->begin());
        CHECK(store->append(row, limits));
        CHECK(store->commit());
    };
    for (const std::uint32_t from : {1U, 2U, 3U}) append(step(from));
    CHECK((after(2) == std::vector{step(2), step(3)}));
    CHECK(after(4).empty());
    CHECK(after(0).empty());

    SUBCASE("around the circle (RFC 1982)") {
        append({"example.org", 4, 4'294'967'295, begun, {}, {}});
        append({"example.org", 4'294'967'295, 1, begun, {}, {}});
        CHECK(after(4).size() == 2);
    }
    SUBCASE("on demand") {
        REQUIRE(store->begin());
        CHECK(store->forget_differences("example.org"));
        CHECK(store->commit());
        CHECK(after(3).empty());
    }
    SUBCASE("by number, now and then") {
        for (std::uint32_t from = 4; from < 300; ++from) append(step(from), {.differences_max = 3});
        CHECK(after(297).size() == 3);
        CHECK(after(100).empty());
    }
    SUBCASE("by age, now and then") {
        for (std::uint32_t from = 4; from < 300; ++from)
            append(step(from), {.age_max = std::chrono::minutes(3)});
        CHECK(after(298).size() == 2);
        CHECK(after(100).empty());
    }
    SUBCASE("with their zone") {
        REQUIRE(store->begin());
        CHECK(store->remove_service("example.org", "web"));
        CHECK(store->remove_namespace("example.org"));
        CHECK(store->commit());
        CHECK(after(1).empty());
    }
}

TEST_CASE("what may be missing comes back missing") {
    const Folder folder;
    NamespaceRow space;
    space.spec = {.name = ".", .dns = false, .ttl = 0, .negative_ttl = 0};
    ServiceRow service;
    service.spec.namespace_name = ".";
    service.spec.name = "web";
    InstanceRow instance;
    instance.namespace_name = ".";
    instance.service = "web";
    instance.instance.spec.id = "i";
    {
        const auto store = must_open(folder.file());
        REQUIRE(store->begin());
        CHECK(store->save(space));
        CHECK(store->save(service));
        CHECK(store->save(instance));
        REQUIRE(store->commit());
    }
    const auto store = must_open(folder.file());
    const auto contents = store->load();
    REQUIRE(contents);
    CHECK((contents->namespaces == std::vector{space}));
    CHECK((contents->services == std::vector{service}));
    CHECK((all_instances(*store) == std::vector{instance}));
}

TEST_CASE("saving again replaces the row and keeps what is inside it") {
    const Folder folder;
    const auto store = must_open(folder.file());
    commit_parents(*store);
    NamespaceRow space = full_namespace();
    space.spec.ttl = 1;
    ServiceRow service = full_service();
    service.health_revision = 20;
    service.srv_lapses.reset();
    InstanceRow instance = full_instance();
    REQUIRE(store->begin());
    CHECK(store->save(instance));
    instance.instance.drain.reset();
    instance.instance.spec.attributes.clear();
    CHECK(store->save(instance));
    CHECK(store->save(service));
    CHECK(store->save(space));
    REQUIRE(store->commit());
    const auto contents = store->load();
    REQUIRE(contents);
    CHECK((contents->namespaces == std::vector{space}));
    CHECK((contents->services == std::vector{service}));
    CHECK((all_instances(*store) == std::vector{instance}));
}

TEST_CASE("what is removed is gone, with what was inside; removing nothing is no failure") {
    const Folder folder;
    const auto store = must_open(folder.file());
    commit_parents(*store);
    REQUIRE(store->begin());
    CHECK(store->save(numbered_instance(1)));
    CHECK(store->save(numbered_instance(2)));
    CHECK(store->remove_instance("example.org", "web", "i-1"));
    CHECK(store->remove_instance("example.org", "web", "nobody"));
    REQUIRE(store->commit());
    auto contents = store->load();
    REQUIRE(contents);
    CHECK((all_instances(*store) == std::vector{numbered_instance(2)}));

    REQUIRE(store->begin());
    CHECK(store->remove_service("example.org", "web"));
    REQUIRE(store->commit());
    contents = store->load();
    REQUIRE(contents);
    CHECK(all_instances(*store).empty());
    CHECK(contents->services.empty());
    CHECK(contents->namespaces.size() == 1);

    REQUIRE(store->begin());
    CHECK(store->remove_namespace("example.org"));
    REQUIRE(store->commit());
    contents = store->load();
    REQUIRE(contents);
    CHECK(contents->namespaces.empty());
}

TEST_CASE("a transaction that is not committed never was") {
    const Folder folder;
    {
        const auto store = must_open(folder.file());
        commit_parents(*store);
        REQUIRE(store->begin());
        CHECK(store->save(numbered_instance(1)));
        store->roll_back();
        REQUIRE(store->begin());
        CHECK(store->save(numbered_instance(2)));
    }
    const auto store = must_open(folder.file());
    const auto contents = store->load();
    REQUIRE(contents);
    CHECK(contents->services.size() == 1);
    CHECK(all_instances(*store).empty());
}

TEST_CASE("an instance without its service fails the commit, which undoes all of it") {
    const Folder folder;
    const auto store = must_open(folder.file());
    REQUIRE(store->begin());
    CHECK(store->save(full_namespace()));
    CHECK(store->save(full_instance()));
    CHECK_FALSE(store->commit());
    const auto contents = store->load();
    REQUIRE(contents);
    CHECK(contents->namespaces.empty());
    CHECK(all_instances(*store).empty());
    commit_parents(*store);
}

TEST_CASE("events come back as they were, with the times that were known later") {
    const Folder folder;
    const auto store = must_open(folder.file());
    model::Event plain;
    plain.revision = 2;
    plain.cause = "namespace_put";
    REQUIRE(store->begin());
    CHECK(store->append(full_event(1)));
    CHECK(store->append(plain));
    REQUIRE(store->commit());

    const auto reader = must_read(folder.file());
    const auto events = reader->after(0, 10, {});
    REQUIRE(events);
    CHECK((*events == std::vector{full_event(1), plain}));

    plain.times = {.detected = {},
                   .submitted = WallTime(10ms),
                   .committed = WallTime(11ms),
                   .published = WallTime(12ms),
                   .first_answered = {}};
    REQUIRE(store->begin());
    CHECK(store->set_times(2, plain.times));
    CHECK(store->set_times(77, plain.times));  // it has left the ring
    REQUIRE(store->commit());
    const auto changed = reader->after(1, 10, {});
    REQUIRE(changed);
    CHECK((*changed == std::vector{plain}));
}

TEST_CASE("pages of events go either way, and a filter looks at namespace and service") {
    const Folder folder;
    const auto store = must_open(folder.file());
    const auto reader = must_read(folder.file());
    CHECK(reader->oldest() == 0);
    CHECK(revisions(reader->before(0, 10, {})).empty());
    REQUIRE(store->begin());
    for (model::Revision revision = 1; revision <= 9; ++revision) {
        model::Event event = full_event(revision);
        if (revision % 3 == 0) event.service = "data";
        if (revision == 9) event.namespace_name = "example.net";
        CHECK(store->append(event));
    }
    REQUIRE(store->commit());
    using List = std::vector<model::Revision>;
    CHECK(reader->oldest() == 1);
    CHECK(revisions(reader->after(0, 3, {})) == List{1, 2, 3});
    CHECK(revisions(reader->after(7, 3, {})) == List{8, 9});
    CHECK(revisions(reader->after(9, 3, {})).empty());
    CHECK(revisions(reader->after(~model::Revision{0}, 3, {})).empty());
    CHECK(revisions(reader->before(0, 3, {})) == List{9, 8, 7});
    CHECK(revisions(reader->before(3, 3, {})) == List{2, 1});
    CHECK(revisions(reader->after(0, 9, {"", "data"})) == List{3, 6, 9});
    CHECK(revisions(reader->after(0, 9, {"example.org", "data"})) == List{3, 6});
    CHECK(revisions(reader->before(0, 9, {"example.net", ""})) == List{9});
}

TEST_CASE("the ring keeps the newest events, whatever a batch adds") {
    const Folder folder;
    {
        const auto store = must_open(folder.file(), 10);
        for (model::Revision first = 1; first <= 96; first += 7) {
            REQUIRE(store->begin());
            for (model::Revision revision = first; revision < first + 7; ++revision)
                CHECK(store->append(full_event(revision)));
            REQUIRE(store->commit());
        }
        const auto reader = must_read(folder.file());
        CHECK(reader->oldest() == 89);
        CHECK(revisions(reader->after(0, 100, {})).size() == 10);
    }
    const auto store = must_open(folder.file(), 3);  // a smaller ring from now on
    REQUIRE(store->begin());
    CHECK(store->append(full_event(99)));
    REQUIRE(store->commit());
    CHECK(must_read(folder.file())->oldest() == 97);
}

TEST_CASE("a second open is refused with a sentence, until the first is closed") {
    const Folder folder;
    auto first = must_open(folder.file());
    const auto second =
        Store::open({.path = folder.path + "/../" + folder.path.substr(folder.path.rfind('/') + 1) +
                             "/zone.db"});
    REQUIRE_FALSE(second);
    CAPTURE(second.error().message);
    CHECK(second.error().message.starts_with("open zone store: "));
    CHECK(second.error().message.contains("another dnsd has it open"));
    first.reset();
    CHECK(Store::open({.path = folder.file()}));
}

TEST_CASE("a check whether it can write changes nothing") {
    const Folder folder;
    const auto store = must_open(folder.file());
    commit_parents(*store);
    const std::string before = octets_of(folder.file() + "-wal");
    CHECK(store->check_writable());
    CHECK(octets_of(folder.file() + "-wal") == before);
    REQUIRE(std::rename(folder.file().c_str(), (folder.file() + ".moved").c_str()) == 0);
    const auto lost = store->check_writable();
    REQUIRE_FALSE(lost);
    CHECK(lost.error().message.contains("removed or replaced"));
}
