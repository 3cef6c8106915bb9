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
    std::uint32_t serial = 0;  // the zone's SOA serial
    bool operator==(const NamespaceRow&) const = default;
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

struct Contents {
    model::Revision revision = 0;
    std::string identity;  // drawn when the store was made
    std::vector<NamespaceRow> namespaces;
    std::vector<ServiceRow> services;
    std::vector<InstanceRow> instances;
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
