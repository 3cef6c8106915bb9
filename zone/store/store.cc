#include "zone/store/store.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "base/assert.h"
#include "zone/store/columns.h"
#include "zone/store/connection.h"
#include "zone/store/file_lock.h"
#include "zone/store/schema.h"

namespace dnsd::store {

namespace {

// The log is folded into the file by whoever's commit finds it this long (4 MiB at pages of 4 KiB
// are SQLite's default). Four times that halves the syncs of the file; recovery reads 16 MiB.
constexpr int checkpoint_pages = 4000;

// A commit of one registration writes a few pages of 4 KiB; below this the next ones will fail.
constexpr std::uint64_t free_octets_least = 128 * 1024;

// Finding the end of a history walks through it: not with each difference.
constexpr std::uint64_t history_shortened_every = 64;

struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;
    bool operator==(const FileIdentity&) const = default;
};

std::optional<FileIdentity> identity_of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino};
}

class SqliteStore final : public Store {
  public:
    static Result<std::unique_ptr<Store>> open(Options options);

    ~SqliteStore() override { SqliteStore::roll_back(); }

    Result<Contents> load() override;
    Result<> load_instances(const std::function<void(InstanceRow)>& take) override {
        return load_each(select_text<InstanceRow>() + "ORDER BY namespace, service, id", take);
    }
    Result<> load_records(const std::function<void(RecordsRow)>& take) override {
        return load_each(select_text<RecordsRow>(), take);
    }
    Result<> begin() override;
    Result<> save(const NamespaceRow& row) override { return save_row(row, *save_namespace_); }
    Result<> save(const ServiceRow& row) override { return save_row(row, *save_service_); }
    Result<> save(const InstanceRow& row) override { return save_row(row, *save_instance_); }
    Result<> remove_namespace(const std::string& name) override;
    Result<> remove_service(const std::string& namespace_name, const std::string& name) override;
    Result<> remove_instance(const std::string& namespace_name, const std::string& service,
                             const std::string& id) override;
    Result<> save(const RecordsRow& row) override { return save_row(row, *save_records_); }
    Result<> save(const KeyRow& row) override { return save_row(row, *save_key_); }
    Result<> remove_records(const std::string& namespace_name,
                            const std::vector<std::uint8_t>& owner, std::uint16_t type) override;
    Result<> remove_all_records(const std::string& namespace_name) override;
    Result<> remove_key(const std::string& name) override;
    Result<> append(const DifferenceRow& row, HistoryLimits limits) override;
    Result<> forget_differences(const std::string& namespace_name) override;
    Result<> append(const model::Event& event) override;
    Result<> set_times(model::Revision revision, const model::Times& times) override;
    Result<> set_revision(model::Revision revision) override;
    Result<> set_identity(const std::string& identity) override;
    Result<> commit() override;
    void roll_back() noexcept override;
    Result<> check_writable() override;

  private:
    SqliteStore(Options options, std::unique_ptr<FileLock> lock,
                std::unique_ptr<Connection> connection)
        : options_(std::move(options)),
          lock_(std::move(lock)),
          connection_(std::move(connection)) {}

    Result<> prepare();
    template <class Row>
    Result<> save_row(const Row& row, Statement& statement);
    Result<> run(Statement& statement);  // within the transaction, whose fate it shares
    template <class Row>
    Result<> load_into(std::vector<Row>& rows);
    template <class Row>
    Result<> load_each(const std::string& sql, const std::function<void(Row)>& take);

    const Options options_;
    const std::unique_ptr<FileLock> lock_;
    const std::unique_ptr<Connection> connection_;
    FileIdentity identity_;

    std::unique_ptr<Statement> begin_, commit_, roll_back_;
    std::unique_ptr<Statement> save_namespace_, save_service_, save_instance_;
    std::unique_ptr<Statement> remove_namespace_, remove_service_, remove_instance_;
    std::unique_ptr<Statement> save_records_, remove_records_, remove_all_records_;
    std::unique_ptr<Statement> save_key_, remove_key_;
    std::unique_ptr<Statement> append_difference_, shorten_history_, forget_history_;
    std::unique_ptr<Statement> append_, forget_events_, set_times_, set_revision_, set_identity_,
        forget_all_events_;

    bool open_ = false;             // a transaction is
    std::optional<Error> failed_;   // its first failure: it can no longer be committed
    model::Revision appended_ = 0;  // the last event of it
    std::map<std::string, std::uint64_t> differences_appended_;  // by namespace
};

// What is below may fail for the reasons the environment has; nothing of the file changes before
// the inspections have passed.
Result<std::unique_ptr<Connection>> open_connection(const std::string& path,
                                                    bool synchronous_full) {
    const auto newest = static_cast<std::int64_t>(migrations().size());
    const auto found = inspect_file(path, newest);
    if (!found) return std::unexpected(found.error());
    auto opened = Connection::open(
        path, *found == Found::Ours ? Connection::Mode::ReadWrite : Connection::Mode::Create);
    if (!opened) return std::unexpected(opened.error());
    Connection& connection = **opened;
    connection.checkpoint_on_close(false);
    if (*found == Found::Ours) {
        if (auto sound = inspect_contents(connection, newest); !sound)
            return std::unexpected(sound.error());
    } else if (auto claimed = claim(connection); !claimed) {
        // In rollback mode: the header holds our name before anything else is in the file.
        return std::unexpected(claimed.error());
    }
    connection.checkpoint_on_close(true);

    const auto mode = connection.text("PRAGMA journal_mode = WAL");
    if (!mode) return std::unexpected(mode.error());
    if (*mode != "wal") return fail("this file system has no shared memory for SQLite's WAL");
    const std::string pragmas =
        std::string("PRAGMA synchronous = ") + (synchronous_full ? "FULL" : "NORMAL") +
        ";PRAGMA foreign_keys = ON;PRAGMA wal_autocheckpoint = " + std::to_string(checkpoint_pages);
    if (auto set = connection.execute(pragmas); !set) return std::unexpected(set.error());
    if (auto migrated = migrate(connection, migrations()); !migrated)
        return std::unexpected(migrated.error());
    return opened;
}

Result<std::unique_ptr<Store>> SqliteStore::open(Options options) {
    std::error_code ignored;  // what does not resolve fails with its own name below
    const auto resolved = std::filesystem::weakly_canonical(options.path, ignored);
    if (!resolved.empty()) options.path = resolved.string();
    const std::string path = options.path;

    auto lock = FileLock::take(path);
    if (!lock) return in_context("open zone store", std::move(lock.error()));
    auto connection = open_connection(path, options.synchronous_full);
    if (!connection) return in_context("open zone store: " + path, std::move(connection.error()));
    std::unique_ptr<SqliteStore> store(
        new SqliteStore(std::move(options), std::move(*lock), std::move(*connection)));
    if (auto prepared = store->prepare(); !prepared)
        return in_context("open zone store: " + path, std::move(prepared.error()));
    store->identity_ = identity_of(path).value_or(FileIdentity{});
    return store;
}

Result<> SqliteStore::prepare() {
    const std::array<std::pair<std::unique_ptr<Statement>&, std::string>, 23> table{{
        {begin_, "BEGIN IMMEDIATE"},
        {commit_, "COMMIT"},
        {roll_back_, "ROLLBACK"},
        {save_namespace_, upsert_text<NamespaceRow>()},
        {save_service_, upsert_text<ServiceRow>()},
        {save_instance_, upsert_text<InstanceRow>()},
        {remove_namespace_, "DELETE FROM namespaces WHERE name = ?"},
        {remove_service_, "DELETE FROM services WHERE namespace = ? AND name = ?"},
        {remove_instance_, "DELETE FROM instances WHERE namespace = ? AND service = ? AND id = ?"},
        {save_records_, upsert_text<RecordsRow>()},
        {remove_records_, "DELETE FROM records WHERE namespace = ? AND owner = ? AND type = ?"},
        {remove_all_records_, "DELETE FROM records WHERE namespace = ?"},
        {save_key_, upsert_text<KeyRow>()},
        {remove_key_, "DELETE FROM keys WHERE name = ?"},
        {append_difference_,
         "INSERT OR REPLACE INTO differences (namespace, serial_from, serial_to, committed, "
         "removed, added) VALUES (?, ?, ?, ?, ?, ?)"},
        {shorten_history_,
         "DELETE FROM differences WHERE namespace = ?1 AND (committed < ?2 OR id <= (SELECT id "
         "FROM differences WHERE namespace = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?3))"},
        {forget_history_, "DELETE FROM differences WHERE namespace = ?"},
        {append_, upsert_text<model::Event>()},
        {forget_events_, "DELETE FROM events WHERE revision <= ?"},
        {set_times_,
         "UPDATE events SET detected = ?, submitted = ?, committed = ?, published = ?, "
         "first_answered = ? WHERE revision = ?"},
        {set_revision_, "UPDATE store SET revision = ?"},
        {set_identity_, "UPDATE store SET identity = ?"},
        {forget_all_events_, "DELETE FROM events"},
    }};
    for (const auto& [statement, sql] : table) {
        auto prepared = Statement::prepare(*connection_, sql);
        if (!prepared) return std::unexpected(prepared.error());
        statement = std::move(*prepared);
    }
    return {};
}

template <class Row>
Result<> SqliteStore::load_into(std::vector<Row>& rows) {
    auto statement = Statement::prepare(*connection_, select_text<Row>());
    if (!statement) return std::unexpected(statement.error());
    auto taken = take_rows<Row>(**statement);
    if (!taken) return std::unexpected(taken.error());
    rows = std::move(*taken);
    return {};
}

Result<Contents> SqliteStore::load() {
    Contents contents;
    const auto read = [&]() -> Result<> {
        const auto revision = connection_->number("SELECT revision FROM store");
        if (!revision) return std::unexpected(revision.error());
        contents.revision = static_cast<model::Revision>(*revision);
        auto identity = connection_->text("SELECT identity FROM store");
        if (!identity) return std::unexpected(identity.error());
        contents.identity = std::move(*identity);
        if (auto loaded = load_into(contents.namespaces); !loaded) return loaded;
        if (auto loaded = load_into(contents.services); !loaded) return loaded;
        return load_into(contents.keys);
    };
    if (auto done = read(); !done)
        return in_context("load zone store: " + options_.path, std::move(done.error()));
    return contents;
}

template <class Row>
Result<> SqliteStore::load_each(const std::string& sql, const std::function<void(Row)>& take) {
    const auto read = [&]() -> Result<> {
        auto statement = Statement::prepare(*connection_, sql);
        if (!statement) return std::unexpected(statement.error());
        for (;;) {
            const auto found = (*statement)->step();
            if (!found) return std::unexpected(found.error());
            if (!*found) return {};
            auto row = take_row<Row>(**statement);
            if (!row) return std::unexpected(row.error());
            take(std::move(*row));
        }
    };
    if (auto done = read(); !done)
        return in_context("load zone store: " + options_.path, std::move(done.error()));
    return {};
}

Result<> SqliteStore::begin() {
    DNSD_ASSERT(!open_);
    if (auto begun = begin_->run(); !begun)
        return in_context("write zone store", std::move(begun.error()));
    open_ = true;
    failed_.reset();
    appended_ = 0;
    return {};
}

Result<> SqliteStore::run(Statement& statement) {
    DNSD_ASSERT(open_);
    if (!failed_) {
        auto done = statement.run();
        if (done) return {};
        failed_ = in_context("write zone store", std::move(done.error())).error();
    }
    statement.reset();
    return std::unexpected(*failed_);
}

template <class Row>
Result<> SqliteStore::save_row(const Row& row, Statement& statement) {
    put_row(statement, row);
    return run(statement);
}

Result<> SqliteStore::remove_namespace(const std::string& name) {
    differences_appended_.erase(name);
    put(*remove_namespace_, 1, name);
    return run(*remove_namespace_);
}

Result<> SqliteStore::remove_service(const std::string& namespace_name, const std::string& name) {
    put(*remove_service_, 1, namespace_name);
    put(*remove_service_, 2, name);
    return run(*remove_service_);
}

Result<> SqliteStore::remove_instance(const std::string& namespace_name, const std::string& service,
                                      const std::string& id) {
    put(*remove_instance_, 1, namespace_name);
    put(*remove_instance_, 2, service);
    put(*remove_instance_, 3, id);
    return run(*remove_instance_);
}

Result<> SqliteStore::remove_records(const std::string& namespace_name,
                                     const std::vector<std::uint8_t>& owner, std::uint16_t type) {
    put(*remove_records_, 1, namespace_name);
    put(*remove_records_, 2, owner);
    put(*remove_records_, 3, type);
    return run(*remove_records_);
}

Result<> SqliteStore::remove_all_records(const std::string& namespace_name) {
    put(*remove_all_records_, 1, namespace_name);
    return run(*remove_all_records_);
}

Result<> SqliteStore::remove_key(const std::string& name) {
    put(*remove_key_, 1, name);
    return run(*remove_key_);
}

Result<> SqliteStore::append(const DifferenceRow& row, HistoryLimits limits) {
    if (auto appended = save_row(row, *append_difference_); !appended) return appended;
    if (++differences_appended_[row.namespace_name] % history_shortened_every != 0) return {};
    put(*shorten_history_, 1, row.namespace_name);
    put(*shorten_history_, 2, row.committed - limits.age_max);
    put(*shorten_history_, 3, limits.differences_max);
    return run(*shorten_history_);
}

Result<> SqliteStore::forget_differences(const std::string& namespace_name) {
    differences_appended_.erase(namespace_name);
    put(*forget_history_, 1, namespace_name);
    return run(*forget_history_);
}

Result<> SqliteStore::append(const model::Event& event) {
    appended_ = std::max(appended_, event.revision);
    put_row(*append_, event);
    return run(*append_);
}

Result<> SqliteStore::set_times(model::Revision revision, const model::Times& times) {
    Putting putting{*set_times_};
    Table<model::Event>::times(times, putting);
    put(*set_times_, putting.at + 1, revision);
    return run(*set_times_);
}

Result<> SqliteStore::set_revision(model::Revision revision) {
    put(*set_revision_, 1, revision);
    return run(*set_revision_);
}

Result<> SqliteStore::set_identity(const std::string& identity) {
    set_identity_->bind(1, std::string_view(identity));
    if (auto set = run(*set_identity_); !set) return set;
    return run(*forget_all_events_);
}

Result<> SqliteStore::commit() {
    DNSD_ASSERT(open_);
    if (appended_ > options_.events_keep) {
        put(*forget_events_, 1, appended_ - options_.events_keep);
        (void)run(*forget_events_);  // kept in failed_
    }
    auto done = run(*commit_);
    if (!done) roll_back();
    open_ = false;
    return done;
}

void SqliteStore::roll_back() noexcept {
    // SQLite rolls back by itself after some failures (a full disk); then there is nothing to do.
    if (connection_->in_transaction()) (void)roll_back_->run();
    open_ = false;
}

Result<> SqliteStore::check_writable() {
    DNSD_ASSERT(!open_);
    const auto refuse = [&](const std::string& reason) {
        return fail("zone store " + options_.path + ": " + reason);
    };
    if (identity_of(options_.path) != identity_) return refuse("the file was removed or replaced");
    struct statvfs system{};
    if (::statvfs(options_.path.c_str(), &system) != 0)
        return refuse(std::generic_category().message(errno));
    if ((system.f_flag & ST_RDONLY) != 0) return refuse("the file system is read-only");
    const std::uint64_t blocks = ::geteuid() == 0 ? system.f_bfree : system.f_bavail;
    if (blocks * system.f_frsize < free_octets_least) return refuse("the disk is full");
    if (auto begun = begin_->run(); !begun) return refuse(begun.error().message);
    if (auto ended = roll_back_->run(); !ended) return refuse(ended.error().message);
    return {};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(Options options) {
    return SqliteStore::open(std::move(options));
}

}  // namespace dnsd::store
