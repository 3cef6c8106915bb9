#include "zone/store/schema.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace dnsd::store {

namespace {

// Words are the model's, times are milliseconds since 1970, lists and maps are JSON.
constexpr const char* version_1 = R"sql(
CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, 0);

CREATE TABLE namespaces (
    name TEXT PRIMARY KEY,
    dns INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    negative_ttl INTEGER NOT NULL,
    description TEXT NOT NULL,
    revision INTEGER NOT NULL,
    serial INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE services (
    namespace TEXT NOT NULL REFERENCES namespaces (name) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    routing_policy TEXT NOT NULL,
    failure_policy TEXT NOT NULL,
    ttl_a INTEGER,
    ttl_aaaa INTEGER,
    ttl_srv INTEGER,
    record_types TEXT NOT NULL,
    protocol TEXT NOT NULL,
    max_answers INTEGER NOT NULL,
    panic_threshold REAL NOT NULL,
    min_healthy INTEGER NOT NULL,
    max_age_ms INTEGER NOT NULL,
    flap_limit INTEGER NOT NULL,
    flap_window_ms INTEGER NOT NULL,
    custom_health_delay_ms INTEGER NOT NULL,
    check_type TEXT NOT NULL,
    check_interval_ms INTEGER NOT NULL,
    check_timeout_ms INTEGER NOT NULL,
    check_connect_timeout_ms INTEGER,
    check_rise INTEGER NOT NULL,
    check_fall INTEGER NOT NULL,
    check_path TEXT NOT NULL,
    check_host TEXT,
    check_port INTEGER,
    check_expected_status_least INTEGER NOT NULL,
    check_expected_status_most INTEGER NOT NULL,
    check_body_substring TEXT,
    check_verify_tls INTEGER NOT NULL,
    check_lease_ttl_ms INTEGER NOT NULL,
    check_initial_status TEXT NOT NULL,
    revision INTEGER NOT NULL,
    health_revision INTEGER NOT NULL,
    address_lapses INTEGER,
    srv_lapses INTEGER,
    PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
    namespace TEXT NOT NULL,
    service TEXT NOT NULL,
    id TEXT NOT NULL,
    ipv4 TEXT,
    ipv6 TEXT,
    port INTEGER,
    weight INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    dns_name TEXT NOT NULL,
    status TEXT NOT NULL,
    awaits_verdict INTEGER NOT NULL,
    status_since INTEGER NOT NULL,
    healthy_last INTEGER,
    registered INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    health_revision INTEGER NOT NULL,
    drain_since INTEGER,
    drain_safe_after INTEGER,
    drain_revision INTEGER,
    PRIMARY KEY (namespace, service, id),
    FOREIGN KEY (namespace, service) REFERENCES services (namespace, name) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    revision INTEGER PRIMARY KEY,
    cause TEXT NOT NULL,
    namespace TEXT NOT NULL,
    service TEXT NOT NULL,
    instances TEXT NOT NULL,
    dns_names TEXT NOT NULL,
    serial INTEGER NOT NULL,
    detected INTEGER,
    submitted INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    published INTEGER,
    first_answered INTEGER,
    probes TEXT NOT NULL
) STRICT;
)sql";

// Two stores may have come to the same revision; who follows one must not take the other for it.
constexpr const char* version_2 = R"sql(
ALTER TABLE store ADD COLUMN identity TEXT NOT NULL DEFAULT '';
UPDATE store SET identity = lower(hex(randomblob(16)));
)sql";

constexpr const char* version_3 = R"sql(
ALTER TABLE services ADD COLUMN check_grpc_service TEXT NOT NULL DEFAULT '';
)sql";

constexpr const char* version_4 = R"sql(
ALTER TABLE services ADD COLUMN report_threshold INTEGER NOT NULL DEFAULT 3;
ALTER TABLE services ADD COLUMN report_window_ms INTEGER NOT NULL DEFAULT 10000;
)sql";

// Zones that hold more than services, and that other name servers follow. An RRset is a row: the
// owner name in wire form, and each record's size in two octets before its RDATA.
constexpr const char* version_5 = R"sql(
ALTER TABLE namespaces ADD COLUMN content INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN reverse INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN primaries TEXT NOT NULL DEFAULT '[]';
ALTER TABLE namespaces ADD COLUMN notify TEXT NOT NULL DEFAULT '[]';
ALTER TABLE namespaces ADD COLUMN transfer TEXT NOT NULL DEFAULT '[]';
ALTER TABLE namespaces ADD COLUMN updaters TEXT NOT NULL DEFAULT '[]';
ALTER TABLE namespaces ADD COLUMN refreshed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE namespaces ADD COLUMN expired INTEGER NOT NULL DEFAULT 1;

CREATE TABLE records (
    namespace TEXT NOT NULL REFERENCES namespaces (name) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED,
    owner BLOB NOT NULL,
    type INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    rdata BLOB NOT NULL,
    PRIMARY KEY (namespace, owner, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE differences (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL REFERENCES namespaces (name) ON DELETE CASCADE
        DEFERRABLE INITIALLY DEFERRED,
    serial_from INTEGER NOT NULL,
    serial_to INTEGER NOT NULL,
    committed INTEGER NOT NULL,
    removed BLOB NOT NULL,
    added BLOB NOT NULL,
    UNIQUE (namespace, serial_from)
) STRICT;

CREATE TABLE keys (
    name TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    secret BLOB NOT NULL,
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array<Migration, 5> all_migrations{
    {{version_1}, {version_2}, {version_3}, {version_4}, {version_5}}};

constexpr std::string_view file_magic{"SQLite format 3\0", 16};
constexpr std::size_t header_octets = 100;
constexpr std::size_t page_octets_at = 16;
constexpr std::size_t page_count_at = 28;
constexpr std::size_t user_version_at = 60;
constexpr std::size_t application_id_at = 68;

std::uint32_t u32(std::string_view octets, std::size_t at) noexcept {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value = value << 8 | static_cast<unsigned char>(octets[at + i]);
    return value;
}

Result<std::string> read_header(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        if (errno == ENOENT) return std::string();
        return fail(std::generic_category().message(errno));
    }
    std::string header(header_octets, '\0');
    const ssize_t octets = ::pread(descriptor, header.data(), header.size(), 0);
    const int number = errno;
    ::close(descriptor);
    if (octets < 0) return fail(std::generic_category().message(number));
    header.resize(static_cast<std::size_t>(octets));
    return header;
}

std::unexpected<Error> refuse_foreign() {
    return fail(
        "this file is not a store of dnsd, or its first page is damaged; it was not changed: name "
        "another file in store.path, or put a backup in its place");
}

std::unexpected<Error> refuse_newer(std::int64_t version, std::int64_t newest_version) {
    return fail("written by a newer dnsd (version " + std::to_string(version) +
                " of the store, this one knows " + std::to_string(newest_version) +
                "); it was not changed: start that dnsd, or name another file in store.path");
}

std::unexpected<Error> refuse_damaged(const std::string& finding) {
    return fail("damaged (" + finding +
                "); it was not changed: put a backup in its place, or move it away to start with "
                "an empty store");
}

// SQLite reads the missing end of a last page as zeros. Where a log or a journal waits, it holds
// what the file lacks.
bool is_cut_off(const std::string& path, std::string_view header) {
    std::error_code missing;
    for (const char* suffix : {"-wal", "-journal"}) {
        const auto octets = std::filesystem::file_size(path + suffix, missing);
        if (!missing && octets > 0) return false;
    }
    const std::uint32_t page_octets = u32(header, page_octets_at) >> 16;
    const std::uint64_t wanted =
        std::uint64_t{page_octets == 1 ? 65536 : page_octets} * u32(header, page_count_at);
    return std::filesystem::file_size(path, missing) < wanted;
}

}  // namespace

std::span<const Migration> migrations() noexcept { return all_migrations; }

Result<Found> inspect_file(const std::string& path, std::int64_t newest_version) {
    const auto header = read_header(path);
    if (!header) return std::unexpected(header.error());
    if (header->empty()) return Found::Nothing;
    if (header->size() < header_octets || !header->starts_with(file_magic) ||
        u32(*header, application_id_at) != application_id)
        return refuse_foreign();
    const std::int64_t version = u32(*header, user_version_at);
    if (version > newest_version) return refuse_newer(version, newest_version);
    if (is_cut_off(path, *header)) return refuse_damaged("the end is missing");
    return Found::Ours;
}

Result<> inspect_contents(Connection& connection, std::int64_t newest_version) {
    // The write-ahead log may hold a newer version than the header.
    const auto version = connection.number("PRAGMA user_version");
    if (!version) return refuse_damaged(version.error().message);
    if (*version > newest_version) return refuse_newer(*version, newest_version);
    const auto finding = connection.text("PRAGMA quick_check(1)");
    if (!finding) return refuse_damaged(finding.error().message);
    if (*finding != "ok") return refuse_damaged(*finding);
    return {};
}

Result<> claim(Connection& connection) {
    return connection.execute("PRAGMA application_id = " + std::to_string(application_id));
}

Result<> migrate(Connection& connection, std::span<const Migration> steps) {
    const auto version = connection.number("PRAGMA user_version");
    if (!version) return std::unexpected(version.error());
    for (std::size_t next = static_cast<std::size_t>(*version); next < steps.size(); ++next) {
        const std::string number = std::to_string(next + 1);
        auto done = connection.execute(std::string("BEGIN IMMEDIATE;") + steps[next].sql +
                                       ";PRAGMA user_version = " + number + ";COMMIT");
        if (done) continue;
        if (connection.in_transaction()) (void)connection.execute("ROLLBACK");
        return in_context("migrate to " + number, std::move(done.error()));
    }
    return {};
}

}  // namespace dnsd::store
