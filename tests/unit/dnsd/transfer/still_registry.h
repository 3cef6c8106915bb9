// A registry that holds what a test has put there, and a history that does.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/names.h"
#include "zone/registry/registry.h"
#include "zone/tree/difference.h"
#include "zone/wire/rdata.h"

namespace dnsd::transfer::test {

class StillRegistry final : public registry::Registry {
  public:
    void submit(registry::Change, std::move_only_function<void(registry::Outcome)>) override {}
    void attach(health::Checker*) override {}
    void transitions(std::vector<health::Transition>) override {}
    void on_published(std::function<void(const registry::Published&)> listener) override {
        listeners.push_back(std::move(listener));
    }
    void set_followers(std::size_t) override {}
    std::string identity() const override { return "still"; }
    const Snapshot<tree::ZoneSet>& zones() const noexcept override { return zones_; }
    const Snapshot<registry::State>& state() const noexcept override { return state_; }
    Result<> check_writable() override { return {}; }
    std::vector<Metric> metrics() const override { return {}; }

    // The zone is served from now on, under what the specification says of it.
    void put(std::shared_ptr<const tree::Zone> zone, model::NamespaceSpec spec) {
        zones_.publish(zones_.load()->with(std::move(zone)));
        auto within = std::make_shared<registry::Namespace>();
        spec.dns = true;
        within->spec = spec;
        change([&](registry::State& state) { state.namespaces.set(spec.name, within); });
    }
    void put(const wire::TsigKey& key) {
        change([&](registry::State& state) {
            state.keys.set(key.name.lower_cased().print(),
                           std::make_shared<const registry::Key>(registry::Key{key, 1}));
        });
    }
    void tell(std::vector<std::string> zones) {
        const registry::Published published{state_.load(), {}, {}, std::move(zones)};
        for (const auto& listener : listeners) listener(published);
    }

    std::vector<std::function<void(const registry::Published&)>> listeners;

  private:
    void change(const std::function<void(registry::State&)>& edit) {
        auto state = std::make_shared<registry::State>(*state_.load());
        edit(*state);
        state_.publish(std::move(state));
    }

    Snapshot<tree::ZoneSet> zones_{std::make_shared<const tree::ZoneSet>()};
    Snapshot<registry::State> state_{std::make_shared<const registry::State>()};
};

// Of one zone.
class StillHistory final : public store::HistoryReader {
  public:
    Result<std::vector<store::DifferenceRow>> after(const std::string&,
                                                    std::uint32_t from) override {
        std::vector<store::DifferenceRow> found;
        for (const tree::Difference& one : *chain) {
            if (found.empty() ? one.from != from : one.from != found.back().to) continue;
            found.push_back({.namespace_name = "example.org",
                             .from = one.from,
                             .to = one.to,
                             .removed = tree::encode_records(one.removed),
                             .added = tree::encode_records(one.added)});
        }
        return found;
    }
    std::shared_ptr<std::vector<tree::Difference>> chain =
        std::make_shared<std::vector<tree::Difference>>();
};

inline std::shared_ptr<const tree::RRset> rrset_of(wire::RrType type,
                                                   const std::vector<std::string>& texts,
                                                   std::uint32_t ttl = 300) {
    std::vector<tree::Rdata> records;
    for (const std::string& text : texts) {
        auto rdata = wire::parse_rdata(type, text, wire::Name());
        REQUIRE(rdata);
        records.push_back({std::move(*rdata), 1});
    }
    return std::make_shared<const tree::RRset>(type, ttl, std::move(records));
}

inline std::shared_ptr<const tree::RRset> soa_of(std::uint32_t serial) {
    return rrset_of(wire::RrType::SOA, {"ns.example.org. hostmaster.example.org. " +
                                        std::to_string(serial) + " 3600 600 86400 60"});
}

// example.org at a serial, with hosts host-0, host-1, ...
inline std::shared_ptr<const tree::Zone> zone_of(std::uint32_t serial, int hosts) {
    tree::ZoneEdit edit(tree::Zone::make(dnsd::test::name("example.org")));
    edit.set(dnsd::test::name("example.org"), soa_of(serial));
    edit.set(dnsd::test::name("example.org"), rrset_of(wire::RrType::NS, {"ns.example.org."}));
    edit.set(dnsd::test::name("ns.example.org"), rrset_of(wire::RrType::A, {"192.0.2.53"}));
    for (int host = 0; host < hosts; ++host) {
        edit.set(dnsd::test::name("host-" + std::to_string(host) + ".example.org"),
                 rrset_of(wire::RrType::A, {"192.0.2.1", "192.0.2.2"}));
    }
    return edit.finish();
}

}  // namespace dnsd::transfer::test
