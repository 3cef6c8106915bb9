// Where the registry's state is kept: one SQLite file in WAL mode. SQLite stays behind this header.
//
// A batch of changes is one transaction: begin(), any number of saves and removals, commit(). What
// was committed survives kill -9 and, with synchronous=FULL, power loss.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "zone/model/event.h"
#include "zone/model/types.h"

namespace dnsd::store {

struct NamespaceRow {
    model::NamespaceSpec spec;
    model::Revision revision = 0;
    std::uint32_t serial = 0;   // the zone's SOA serial
    std::uint64_t content = 0;  // a sum of what the zone held at that serial
    WallTime refreshed{};       // of a secondary: when it last was known to be the newest
    bool expired = true;
    bool operator==(const NamespaceRow&) const = default;
};

// One plain RRset of a zone.
struct RecordsRow {
    std::string namespace_name;
    std::vector<std::uint8_t> owner;  // wire form, as it is spelled
    std::uint16_t type = 0;
    std::uint32_t ttl = 0;
    std::vector<std::uint8_t> rdata;  // each record's size (2), then its octets
    bool operator==(const RecordsRow&) const = default;
};

// What led from one serial of a zone to the next; the octets are tree::encode_records'.
struct DifferenceRow {
    std::string namespace_name;
    std::uint32_t from = 0, to = 0;
    WallTime committed{};
    std::vector<std::uint8_t> removed, added;
    bool operator==(const DifferenceRow&) const = default;
};

struct KeyRow {
    std::string name;
    std::string algorithm;
    std::vector<std::uint8_t> secret;
    model::Revision revision = 0;
    bool operator==(const KeyRow&) const = default;
};

// How long differences are kept: whichever is reached first, per zone.
struct HistoryLimits {
    std::uint64_t differences_max = 10'000;
    Milliseconds age_max{24 * 3600 * 1000};
};

struct ServiceRow {
    model::ServiceSpec spec;
    model::Revision revision = 0;
    model::Revision health_revision = 0;
    // When the last copies run out that were handed out of the service's RRsets (marks, flushed).
    std::optional<WallTime> address_lapses;
    std::optional<WallTime> srv_lapses;
    bool operator==(const ServiceRow&) const = default;
};

struct InstanceRow {
    std::string namespace_name;
    std::string service;
    model::Instance instance;
    bool operator==(const InstanceRow&) const = default;
};

// All but what there may be millions of.
struct Contents {
    model::Revision revision = 0;
    std::string identity;  // drawn when the store was made
    std::vector<NamespaceRow> namespaces;
    std::vector<ServiceRow> services;
    std::vector<KeyRow> keys;
};

// Belongs to one thread, the registry's. A transaction that is not committed rolls back.
class Store {
  public:
    struct Options {
        std::string path;
        bool synchronous_full = true;
        std::uint64_t events_keep = 100'000;
    };

    // Opens or creates the file and migrates it. Holds a lock for as long as it lives: a second
    // process is refused. A damaged, foreign or newer file is refused with a sentence that says
    // what to do, and not a byte of it is changed.
    static Result<std::unique_ptr<Store>> open(Options options);
    virtual ~Store() = default;

    virtual Result<Contents> load() = 0;
    // Of which there may be millions: one after the other, by service and id; after load().
    virtual Result<> load_instances(const std::function<void(InstanceRow)>& take) = 0;
    // The plain RRsets of all zones, one after the other, by namespace; after load().
    virtual Result<> load_records(const std::function<void(RecordsRow)>& take) = 0;

    // After the first failure in a transaction all else in it fails with the same words, commit()
    // too. A service's namespace and an instance's service must be there at the commit.
    virtual Result<> begin() = 0;
    virtual Result<> save(const NamespaceRow& row) = 0;
    virtual Result<> save(const ServiceRow& row) = 0;
    virtual Result<> save(const InstanceRow& row) = 0;
    // What is not there is no failure; what is inside goes with it.
    virtual Result<> remove_namespace(const std::string& name) = 0;
    virtual Result<> remove_service(const std::string& namespace_name, const std::string& name) = 0;
    virtual Result<> remove_instance(const std::string& namespace_name, const std::string& service,
                                     const std::string& id) = 0;
    virtual Result<> save(const RecordsRow& row) = 0;
    virtual Result<> save(const KeyRow& row) = 0;
    virtual Result<> remove_records(const std::string& namespace_name,
                                    const std::vector<std::uint8_t>& owner, std::uint16_t type) = 0;
    virtual Result<> remove_all_records(const std::string& namespace_name) = 0;
    virtual Result<> remove_key(const std::string& name) = 0;
    virtual Result<> append(const DifferenceRow& row, HistoryLimits limits) = 0;
    virtual Result<> forget_differences(const std::string& namespace_name) = 0;
    virtual Result<> append(const model::Event& event) = 0;  // the oldest beyond events_keep go
    // Times that are only known after the commit; they travel with the next transaction.
    virtual Result<> set_times(model::Revision revision, const model::Times& times) = 0;
    virtual Result<> set_revision(model::Revision revision) = 0;
    // It follows another store from now on, under its identity; events of its own are forgotten.
    virtual Result<> set_identity(const std::string& identity) = 0;
    virtual Result<> commit() = 0;  // on failure everything since begin() is undone
    virtual void roll_back() noexcept = 0;

    // Whether a write would succeed now, without changing anything (/readyz).
    virtual Result<> check_writable() = 0;
};

// Reads differences beside the writer, over a connection of its own. Belongs to one thread.
class HistoryReader {
  public:
    static Result<std::unique_ptr<HistoryReader>> open(const std::string& path);
    virtual ~HistoryReader() = default;

    // The chain of differences that begins at serial `from`, in its order, up to what was committed
    // last (which may be ahead of what is published); empty: history does not reach back so far.
    virtual Result<std::vector<DifferenceRow>> after(const std::string& namespace_name,
                                                     std::uint32_t from) = 0;
};

// Reads the event table beside the writer, over a connection of its own. Belongs to one thread.
class EventReader {
  public:
    static Result<std::unique_ptr<EventReader>> open(const std::string& path);
    virtual ~EventReader() = default;

    struct Filter {
        std::string namespace_name;  // empty: any
        std::string service;
    };
    // Events with a revision above `after`, oldest first, at most `limit`.
    virtual Result<std::vector<model::Event>> after(model::Revision after, std::size_t limit,
                                                    const Filter& filter) = 0;
    // The last `limit` events before `before` (0: the newest), newest first.
    virtual Result<std::vector<model::Event>> before(model::Revision before, std::size_t limit,
                                                     const Filter& filter) = 0;
    virtual Result<model::Revision> oldest() = 0;  // 0: the table is empty
};

}  // namespace dnsd::store
