// What the outside world does to a store: kill -9, full disks, files that are none of ours.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include "tests/unit/zone/store/rows.h"
#include "zone/store/connection.h"

using namespace dnsd;
using namespace dnsd::store;

namespace {

void commit_parents(Store& store) {
    REQUIRE(store.begin());
    REQUIRE(store.save(full_namespace()));
    REQUIRE(store.save(full_service()));
    REQUIRE(store.commit());
}

// One registration, as the registry writes it.
Result<> commit_numbered(Store& store, int number) {
    if (auto begun = store.begin(); !begun) return begun;
    const auto revision = static_cast<model::Revision>(number);
    (void)store.save(numbered_instance(number));
    (void)store.append(full_event(revision));
    (void)store.set_revision(revision);
    return store.commit();
}

std::set<std::string> instance_ids(Store& store) {
    std::set<std::string> ids;
    const auto loaded =
        store.load_instances([&](InstanceRow row) { ids.insert(row.instance.spec.id); });
    if (!loaded) FAIL(loaded.error().message);
    return ids;
}

Result<> load_all(Store& store) {
    if (const auto contents = store.load(); !contents) return std::unexpected(contents.error());
    return store.load_instances([](const InstanceRow&) {});
}

// A store with rows in it, closed.
void make_store(const std::string& path) {
    const auto store = must_open(path);
    commit_parents(*store);
    for (int number = 1; number <= 200; ++number) REQUIRE(commit_numbered(*store, number));
}

void check_refused_unchanged(const std::string& path, std::string_view word) {
    const std::string before = octets_of(path);
    const auto opened = Store::open({.path = path});
    REQUIRE_FALSE(opened);
    CAPTURE(opened.error().message);
    CHECK(opened.error().message.starts_with("open zone store: " + path + ": "));
    CHECK(opened.error().message.contains(word));
    CHECK(opened.error().message.contains("it was not changed: "));
    CHECK(octets_of(path) == before);
}

void execute(const std::string& path, const std::string& sql) {
    auto connection = Connection::open(path, Connection::Mode::Create);
    REQUIRE(connection);
    REQUIRE((*connection)->execute(sql));
}

// Commits and acknowledges down the pipe until it is killed.
[[noreturn]] void register_until_killed(const std::string& path, int first, int acknowledgements) {
    auto opened = Store::open({.path = path});
    if (!opened) ::_exit(1);
    for (int number = first;; ++number) {
        if (!commit_numbered(**opened, number)) ::_exit(2);
        if (::write(acknowledgements, &number, sizeof number) != sizeof number) ::_exit(3);
    }
}

}  // namespace

TEST_CASE("kill -9 at any moment loses nothing that was acknowledged") {
    const Folder folder;
    {
        const auto store = must_open(folder.file());
        commit_parents(*store);
    }
    std::mt19937 random(1);
    int acknowledged = 0;
    for (int round = 0; round < 25; ++round) {
        CAPTURE(round);
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(ends[0]);
            register_until_killed(folder.file(), acknowledged + 2, ends[1]);
        }
        ::close(ends[1]);
        // The moment is random in work done, and then in the instructions of the next commit.
        const int wanted = static_cast<int>(random() % 40);
        int number = 0;
        for (int i = 0; i <= wanted; ++i) {
            REQUIRE(::read(ends[0], &number, sizeof number) == sizeof number);
            acknowledged = number;
        }
        for (volatile unsigned spin = static_cast<unsigned>(random() % 200'000); spin > 0;)
            spin = spin - 1;
        ::kill(child, SIGKILL);
        while (::read(ends[0], &number, sizeof number) == sizeof number) acknowledged = number;
        ::close(ends[0]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));

        const auto store = must_open(folder.file());
        const auto contents = store->load();
        REQUIRE(contents);
        // The last commit may have been on its way to us: it is there whole or not at all.
        const auto revision = static_cast<int>(contents->revision);
        CHECK(revision >= acknowledged);
        CHECK(revision <= acknowledged + 1);
        const auto ids = instance_ids(*store);
        CHECK(ids.contains("i-" + std::to_string(acknowledged)));
        CHECK(ids.contains("i-" + std::to_string(revision)));
        // Each round leaves out at most one number: the one that was on its way.
        CHECK(static_cast<int>(ids.size()) >= acknowledged - 1 - (round + 1));
        acknowledged = revision;
    }
}

TEST_CASE("a full disk fails the commit alone, and writing goes on when there is space again") {
    const Folder folder;
    std::set<std::string> acknowledged;
    {
        const auto store = must_open(folder.file());
        commit_parents(*store);
        // The end of what the process may write to a file stands in for the end of the disk.
        rlimit limit{};
        REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
        const auto on_signal = ::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{.rlim_cur = std::filesystem::file_size(folder.file() + "-wal") + 300'000,
                           .rlim_max = limit.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
        int number = 1;
        for (; number < 1000; ++number) {
            const auto done = commit_numbered(*store, number);
            if (!done) {
                CHECK(done.error().message.starts_with("write zone store: "));
                break;
            }
            acknowledged.insert("i-" + std::to_string(number));
        }
        CHECK(number > 1);
        CHECK(number < 1000);
        CHECK_FALSE(commit_numbered(*store, number));
        CHECK(instance_ids(*store) == acknowledged);  // reading goes on

        REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
        ::signal(SIGXFSZ, on_signal);
        for (int more = 0; more < 20; ++more, ++number) {
            const auto done = commit_numbered(*store, number);
            if (!done) FAIL(done.error().message);
            acknowledged.insert("i-" + std::to_string(number));
        }
    }
    CHECK(instance_ids(*must_open(folder.file())) == acknowledged);
}

TEST_CASE("a file of another program is refused") {
    const Folder folder;
    write_octets(folder.file(), "[dns]\nlisten = 53\n");
    check_refused_unchanged(folder.file(), "not a store of dnsd");
    write_octets(folder.file(), std::string(100'000, 'x'));
    check_refused_unchanged(folder.file(), "not a store of dnsd");
    std::filesystem::remove(folder.file());
    execute(folder.file(), "CREATE TABLE namespaces (name TEXT); PRAGMA user_version = 1");
    check_refused_unchanged(folder.file(), "not a store of dnsd");
    std::filesystem::remove(folder.file());
    execute(folder.file(), "PRAGMA application_id = 7; PRAGMA user_version = 1");
    check_refused_unchanged(folder.file(), "not a store of dnsd");
}

TEST_CASE("a newer file is refused, also where only its log says so") {
    const Folder folder;
    make_store(folder.file());
    SUBCASE("in the file") { execute(folder.file(), "PRAGMA user_version = 1000"); }
    SUBCASE("in the log") {
        auto connection = Connection::open(folder.file(), Connection::Mode::ReadWrite);
        REQUIRE(connection);
        (*connection)->checkpoint_on_close(false);
        REQUIRE((*connection)->execute("PRAGMA user_version = 1000"));
    }
    const std::string log = octets_of(folder.file() + "-wal");
    check_refused_unchanged(folder.file(), "newer dnsd (version 1000");
    CHECK(octets_of(folder.file() + "-wal") == log);
}

TEST_CASE("a truncated file is refused") {
    const Folder folder;
    make_store(folder.file());
    const std::string whole = octets_of(folder.file());
    REQUIRE(whole.size() > 20'000);
    for (const std::size_t size :
         {whole.size() - 1, whole.size() - 4096, whole.size() / 2, std::size_t{8192},
          std::size_t{4096}, std::size_t{512}, std::size_t{100}, std::size_t{99}, std::size_t{1}}) {
        CAPTURE(size);
        write_octets(folder.file(), whole.substr(0, size));
        check_refused_unchanged(folder.file(), "damaged");
    }
    write_octets(folder.file(), whole);
    CHECK(instance_ids(*must_open(folder.file())).size() == 200);
}

TEST_CASE("a file with pages overwritten is refused, whichever they are") {
    const Folder folder;
    make_store(folder.file());
    const std::string whole = octets_of(folder.file());
    for (std::size_t page = 0; page < whole.size() / 4096; ++page) {
        CAPTURE(page);
        std::string damaged = whole;
        damaged.replace(page * 4096, 2048, 2048, '\xa5');
        write_octets(folder.file(), damaged);
        check_refused_unchanged(folder.file(), "damaged");
    }
}

TEST_CASE("a value that dnsd did not write is named when it is loaded") {
    const Folder folder;
    for (const char* sql :
         {"UPDATE instances SET ipv4 = '300.0.0.1' WHERE id = 'i-7'",
          "UPDATE instances SET weight = 65536 WHERE id = 'i-7'",
          "UPDATE instances SET attributes = '[' WHERE id = 'i-7'",
          "UPDATE instances SET attributes = '[1]' WHERE id = 'i-7'",
          "UPDATE instances SET drain_since = 1 WHERE id = 'i-8'; UPDATE instances SET status = "
          "'so-so' WHERE id = 'i-7'",
          "UPDATE services SET record_types = '[\"MX\"]'"}) {
        CAPTURE(sql);
        std::filesystem::remove(folder.file());
        make_store(folder.file());
        execute(folder.file(), sql);
        const auto loaded = load_all(*must_open(folder.file()));
        REQUIRE_FALSE(loaded);
        CAPTURE(loaded.error().message);
        CHECK(loaded.error().message.starts_with("load zone store: "));
        CHECK(loaded.error().message.contains("damaged: table "));
    }
}

TEST_CASE("a place where no file can be is named") {
    const Folder folder;
    const auto nowhere = Store::open({.path = folder.path + "/missing/zone.db"});
    REQUIRE_FALSE(nowhere);
    CAPTURE(nowhere.error().message);
    CHECK(nowhere.error().message.starts_with("open zone store: "));
    CHECK(nowhere.error().message.contains("/missing/zone.db"));
    CHECK(nowhere.error().message.contains("No such file or directory"));

    std::filesystem::create_directory(folder.path + "/folder");
    const auto folder_itself = Store::open({.path = folder.path + "/folder"});
    REQUIRE_FALSE(folder_itself);
    CHECK(folder_itself.error().message.contains("Is a directory"));
}

TEST_CASE("an empty file becomes a store, as one does that was cut off while it was made") {
    const Folder folder;
    write_octets(folder.file(), "");
    {
        const auto store = must_open(folder.file());
    }
    std::filesystem::remove(folder.file());
    execute(folder.file(), "PRAGMA application_id = 1684960100");  // claimed, no more
    CHECK(instance_ids(*must_open(folder.file())).empty());
}
