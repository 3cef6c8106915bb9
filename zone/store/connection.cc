#include "zone/store/connection.h"

#include <sqlite3.h>

#include <system_error>

namespace dnsd::store {

namespace {

// The writer is alone but for people with an SQLite shell: they are waited for this long.
constexpr int busy_milliseconds = 1000;

constexpr int flags_of(Connection::Mode mode) noexcept {
    switch (mode) {
        case Connection::Mode::ReadOnly:
            return SQLITE_OPEN_READONLY;
        case Connection::Mode::ReadWrite:
            return SQLITE_OPEN_READWRITE;
        case Connection::Mode::Create:
            break;
    }
    return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Mode mode) {
    // Nobody asks how much memory SQLite has, which costs a lock each time it takes or gives some.
    [[maybe_unused]] static const int counts_no_memory = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(path.c_str(), &raw, flags_of(mode) | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<Connection> connection(new Connection(raw));
    if (code != SQLITE_OK) return std::unexpected(connection->error(code));
    sqlite3_extended_result_codes(raw, 1);
    sqlite3_busy_timeout(raw, busy_milliseconds);
    // A file may come from elsewhere: its schema is not trusted to run functions with effects.
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return connection;
}

Connection::~Connection() { sqlite3_close(connection_); }

Result<> Connection::execute(const std::string& sql) {
    const int code = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return std::unexpected(error(code));
    return {};
}

Result<std::int64_t> Connection::number(const std::string& sql) {
    auto statement = Statement::prepare(*this, sql);
    if (!statement) return std::unexpected(statement.error());
    const auto row = (*statement)->step();
    if (!row) return std::unexpected(row.error());
    return *row ? (*statement)->number(0) : 0;
}

Result<std::string> Connection::text(const std::string& sql) {
    auto statement = Statement::prepare(*this, sql);
    if (!statement) return std::unexpected(statement.error());
    const auto row = (*statement)->step();
    if (!row) return std::unexpected(row.error());
    return std::string(*row ? (*statement)->text(0) : "");
}

bool Connection::in_transaction() const noexcept {
    return sqlite3_get_autocommit(connection_) == 0;
}

void Connection::checkpoint_on_close(bool wanted) noexcept {
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, wanted ? 0 : 1, nullptr);
}

Error Connection::error(int code) const {
    std::string message = connection_ ? sqlite3_errmsg(connection_) : sqlite3_errstr(code);
    const int primary = code & 0xff;
    if (connection_ && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN)) {
        const int number = sqlite3_system_errno(connection_);
        if (number != 0) message += " (" + std::generic_category().message(number) + ")";
    }
    return {std::move(message)};
}

Result<std::unique_ptr<Statement>> Statement::prepare(const Connection& connection,
                                                      std::string_view sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(connection.raw(), sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return std::unexpected(connection.error(code));
    return std::unique_ptr<Statement>(new Statement(connection, raw));
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::keep(int code) noexcept {
    if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

void Statement::bind(int at, std::int64_t value) noexcept {
    keep(sqlite3_bind_int64(statement_, at, value));
}

void Statement::bind(int at, double value) noexcept {
    keep(sqlite3_bind_double(statement_, at, value));
}

void Statement::bind(int at, std::string_view value) noexcept {
    // A null pointer would bind NULL, and an empty view may hold one.
    keep(sqlite3_bind_text64(statement_, at, value.empty() ? "" : value.data(), value.size(),
                             SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::bind(int at, std::span<const std::uint8_t> octets) noexcept {
    static constexpr std::uint8_t none = 0;  // for the same reason
    keep(sqlite3_bind_blob64(statement_, at, octets.empty() ? &none : octets.data(), octets.size(),
                             SQLITE_TRANSIENT));
}

void Statement::bind_null(int at) noexcept { keep(sqlite3_bind_null(statement_, at)); }

Result<bool> Statement::step() {
    const int code = bind_code_ == SQLITE_OK ? sqlite3_step(statement_) : bind_code_;
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    Error error = connection_.error(code);
    reset();
    return std::unexpected(std::move(error));
}

Result<> Statement::run() {
    for (;;) {
        const auto row = step();
        if (!row) return std::unexpected(row.error());
        if (!*row) break;
    }
    reset();
    return {};
}

void Statement::reset() noexcept {
    sqlite3_reset(statement_);
    bind_code_ = SQLITE_OK;
}

bool Statement::is_null(int column) const noexcept {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::number(int column) const noexcept {
    return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const noexcept {
    return sqlite3_column_double(statement_, column);
}

std::string_view Statement::text(int column) const noexcept {
    const auto* octets = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (!octets) return {};
    return {octets, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::span<const std::uint8_t> Statement::octets(int column) const noexcept {
    const auto* octets = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
    if (!octets) return {};
    return {octets, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace dnsd::store
