#include "zone/registry/delta.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "base/address.h"
#include "base/clock.h"
#include "zone/model/validate.h"
#include "zone/tree/difference.h"
#include "zone/wire/presentation.h"
#include "zone/wire/rdata.h"

namespace dnsd::registry {

namespace {

using Json = nlohmann::ordered_json;
using model::Instance;

// What JSON can say wrongly; caught where a document is parsed.
struct Malformed {
    std::string detail;
};

// One walk over a type's fields serves both directions: `Archive` writes them, or reads them.
template <class Archive>
void walk(Archive& a, model::NamespaceSpec& spec) {
    a("name", spec.name);
    a("dns", spec.dns);
    a("ttl", spec.ttl);
    a("negative_ttl", spec.negative_ttl);
    a("description", spec.description);
    a("reverse", spec.reverse);
    a("primaries", spec.primaries);
    a("notify", spec.notify);
    a("transfer", spec.transfer);
    a("updaters", spec.updaters);
}

template <class Archive>
void walk(Archive& a, Following& following) {
    a("refreshed", following.refreshed);
    a("expired", following.expired);
}

template <class Archive>
void walk(Archive& a, RRsetDelta& rrset) {
    a("owner", rrset.owner);
    a("type", rrset.type);
    a("ttl", rrset.ttl);
    a("rdata", rrset.records);
}

template <class Archive>
void walk(Archive& a, model::Ttls& ttls) {
    a("A", ttls.a);
    a("AAAA", ttls.aaaa);
    a("SRV", ttls.srv);
}

template <class Archive>
void walk(Archive& a, model::Check& check) {
    a("type", check.type);
    a("interval", check.interval);
    a("timeout", check.timeout);
    a("connect_timeout", check.connect_timeout);
    a("rise", check.rise);
    a("fall", check.fall);
    a("path", check.path);
    a("host", check.host);
    a("port", check.port);
    a("expected_status_least", check.expected_status_least);
    a("expected_status_most", check.expected_status_most);
    a("body_substring", check.body_substring);
    a("verify_tls", check.verify_tls);
    a("grpc_service", check.grpc_service);
    a("lease_ttl", check.lease_ttl);
    a("initial_status", check.initial_status);
}

template <class Archive>
void walk(Archive& a, model::ServiceSpec& spec) {
    a("namespace", spec.namespace_name);
    a("name", spec.name);
    a("description", spec.description);
    a("routing_policy", spec.routing_policy);
    a("failure_policy", spec.failure_policy);
    a("ttl", spec.ttl);
    a("record_types", spec.record_types);
    a("protocol", spec.protocol);
    a("max_answers", spec.max_answers);
    a("panic_threshold", spec.panic_threshold);
    a("min_healthy", spec.min_healthy);
    a("max_age", spec.max_age);
    a("flap_limit", spec.flap_limit);
    a("flap_window", spec.flap_window);
    a("custom_health_delay", spec.custom_health_delay);
    a("report_threshold", spec.report_threshold);
    a("report_window", spec.report_window);
    a("check", spec.check);
}

template <class Archive>
void walk(Archive& a, model::InstanceSpec& spec) {
    a("id", spec.id);
    a("ipv4", spec.ipv4);
    a("ipv6", spec.ipv6);
    a("port", spec.port);
    a("weight", spec.weight);
    a("priority", spec.priority);
    a("disabled", spec.disabled);
    a("attributes", spec.attributes);
}

template <class Archive>
void walk(Archive& a, model::Drain& drain) {
    a("since", drain.since);
    a("safe_after", drain.safe_after);
    a("revision", drain.revision);
}

template <class Archive>
void walk(Archive& a, Instance& instance) {
    a("spec", instance.spec);
    a("dns_name", instance.dns_name);
    a("status", instance.status);
    a("awaits_verdict", instance.awaits_verdict);
    a("status_since", instance.status_since);
    a("healthy_last", instance.healthy_last);
    a("registered", instance.registered);
    a("revision", instance.revision);
    a("health_revision", instance.health_revision);
    a("drain", instance.drain);
}

template <class Archive>
void walk(Archive& a, NamespaceDelta& within) {
    a("spec", within.spec);
    a("revision", within.revision);
    a("serial", within.serial);
    a("following", within.following);
    a("whole", within.is_whole);
    a("records", within.records);
}

template <class Archive>
void walk(Archive& a, ServiceDelta& service) {
    a("spec", service.spec);
    a("revision", service.revision);
    a("health_revision", service.health_revision);
    a("whole", service.is_whole);
    a("instances", service.instances);
    a("gone", service.gone);
}

template <class Archive>
void walk(Archive& a, ServiceKey& key) {
    a("namespace", key.namespace_name);
    a("service", key.service);
}

template <class Archive>
void walk(Archive& a, model::InstanceEvent& one) {
    a("id", one.id);
    a("status", one.status);
    a("was", one.was);
}

template <class Archive>
void walk(Archive& a, model::ProbeRecord& probe) {
    a("tick", probe.tick);
    a("ended", probe.ended);
    a("success", probe.success);
    a("outcome", probe.outcome);
}

template <class Archive>
void walk(Archive& a, model::Times& times) {
    a("detected", times.detected);
    a("submitted", times.submitted);
    a("committed", times.committed);
    a("published", times.published);
    a("first_answered", times.first_answered);
}

template <class Archive>
void walk(Archive& a, model::Event& event) {
    a("revision", event.revision);
    a("cause", event.cause);
    a("namespace", event.namespace_name);
    a("service", event.service);
    a("instances", event.instances);
    a("dns_names", event.dns_names);
    a("serial", event.serial);
    a("times", event.times);
    a("probes", event.probes);
}

template <class Archive>
void walk(Archive& a, Delta& delta) {
    a("from", delta.from);
    a("revision", delta.revision);
    a("now", delta.now);
    a("namespaces", delta.namespaces);
    a("gone_namespaces", delta.gone_namespaces);
    a("services", delta.services);
    a("gone_services", delta.gone_services);
    a("events", delta.events);
}

template <class Value>
concept Word = requires(Value value) { model::print(value); } && std::is_enum_v<Value>;
template <class Value>
concept Phrase = std::is_same_v<Value, model::Peer> || std::is_same_v<Value, model::Admission>;

template <class Value>
Value parse_word(const std::string& word) {
    std::optional<Value> value;
    if constexpr (std::is_same_v<Value, model::HealthStatus>)
        value = model::parse_health_status(word);
    if constexpr (std::is_same_v<Value, model::RoutingPolicy>)
        value = model::parse_routing_policy(word);
    if constexpr (std::is_same_v<Value, model::FailurePolicy>)
        value = model::parse_failure_policy(word);
    if constexpr (std::is_same_v<Value, model::CheckType>) value = model::parse_check_type(word);
    if constexpr (std::is_same_v<Value, model::Protocol>) value = model::parse_protocol(word);
    if constexpr (std::is_same_v<Value, model::RecordType>) value = model::parse_record_type(word);
    if (!value) throw Malformed{fmt::format("'{}' is unknown", word)};
    return *value;
}

class Printer {
  public:
    template <class Value>
    void operator()(const char* name, Value& value) {
        put(json_[name], value);
    }
    template <class Value>
    static Json print(Value& value) {
        Printer printer;
        walk(printer, value);
        return std::move(printer.json_);
    }

  private:
    template <class Value>
    static void put(Json& json, Value& value) {
        if constexpr (std::is_arithmetic_v<Value> || std::is_same_v<Value, std::string> ||
                      std::is_same_v<Value, std::map<std::string, std::string>>) {
            json = value;
        } else if constexpr (std::is_same_v<Value, Ipv4> || std::is_same_v<Value, Ipv6>) {
            json = dnsd::print(value);
        } else if constexpr (std::is_same_v<Value, WallTime>) {
            json = print_time(value);
        } else if constexpr (std::is_same_v<Value, Milliseconds>) {
            json = static_cast<double>(value.count()) / 1000;
        } else if constexpr (Word<Value> || Phrase<Value>) {
            json = model::print(value);
        } else if constexpr (std::is_same_v<Value, wire::Name> ||
                             std::is_same_v<Value, wire::RrType>) {
            json = printed(value);
        } else {
            json = print(value);
        }
    }
    static std::string printed(const wire::Name& name) { return name.print(); }
    static std::string printed(wire::RrType type) { return wire::print(type); }
    static void put(Json& json, std::vector<std::uint8_t>& octets) {
        json = wire::print_hex(octets);
    }
    template <class Value>
    static void put(Json& json, std::optional<Value>& value) {
        json = nullptr;
        if (value) put(json, *value);
    }
    template <class Value>
    static void put(Json& json, std::vector<Value>& values) {
        json = Json::array();
        for (Value& value : values) put(json.emplace_back(), value);
    }

    Json json_ = Json::object();
};

// Throws Malformed, and what nlohmann's library throws at wrong types.
class Parser {
  public:
    explicit Parser(const Json& json) : json_(json) {
        if (!json.is_object()) throw Malformed{"an object is missing"};
    }
    template <class Value>
    void operator()(const char* name, Value& value) {
        const auto found = json_.find(name);
        if (found == json_.end()) throw Malformed{fmt::format("{} is missing", name)};
        get(*found, value);
    }
    template <class Value>
    static void parse(const Json& json, Value& value) {
        Parser parser(json);
        walk(parser, value);
    }

  private:
    template <class Value>
    static void get(const Json& json, Value& value) {
        if constexpr (std::is_same_v<Value, bool> || std::is_same_v<Value, double> ||
                      std::is_same_v<Value, std::string> ||
                      std::is_same_v<Value, std::map<std::string, std::string>>) {
            json.get_to(value);
        } else if constexpr (std::is_integral_v<Value>) {
            const auto number = json.is_number_unsigned()
                                    ? json.get<std::uint64_t>()
                                    : throw Malformed{"a number is not a whole one from 0 up"};
            if (number > std::numeric_limits<Value>::max())
                throw Malformed{fmt::format("{} is too large", number)};
            value = static_cast<Value>(number);
        } else if constexpr (std::is_same_v<Value, Ipv4>) {
            value = required(parse_ipv4(json.get<std::string>()), "an IPv4 address");
        } else if constexpr (std::is_same_v<Value, Ipv6>) {
            value = required(parse_ipv6(json.get<std::string>()), "an IPv6 address");
        } else if constexpr (std::is_same_v<Value, WallTime>) {
            value = required(parse_time(json.get<std::string>()), "a time");
        } else if constexpr (std::is_same_v<Value, Milliseconds>) {
            const double seconds = json.get<double>();
            if (!(seconds >= 0 && seconds <= 1e9)) throw Malformed{"a duration is out of range"};
            value = std::chrono::round<Milliseconds>(std::chrono::duration<double>(seconds));
        } else if constexpr (Word<Value>) {
            value = parse_word<Value>(json.get<std::string>());
        } else if constexpr (std::is_same_v<Value, model::Peer>) {
            value = required(model::parse_peer(json.get<std::string>()));
        } else if constexpr (std::is_same_v<Value, model::Admission>) {
            value = required(model::parse_admission(json.get<std::string>()));
        } else if constexpr (std::is_same_v<Value, wire::Name>) {
            value = required(wire::Name::parse(json.get<std::string>()));
        } else if constexpr (std::is_same_v<Value, wire::RrType>) {
            value = required(wire::parse_type(json.get<std::string>()), "a type");
        } else {
            parse(json, value);
        }
    }
    static void get(const Json& json, std::vector<std::uint8_t>& octets) {
        octets = required(wire::parse_hex(json.get<std::string>()), "RDATA");
    }
    template <class Value>
    static void get(const Json& json, std::optional<Value>& value) {
        value.reset();
        if (!json.is_null()) get(json, value.emplace());
    }
    template <class Value>
    static void get(const Json& json, std::vector<Value>& values) {
        if (!json.is_array()) throw Malformed{"a list is missing"};
        values.clear();
        for (const Json& one : json) get(one, values.emplace_back());
    }
    template <class Value>
    static Value required(std::optional<Value> value, const char* what) {
        if (!value) throw Malformed{fmt::format("{} is malformed", what)};
        return *value;
    }

    template <class Value>
    static Value required(Result<Value> value) {
        if (!value) throw Malformed{value.error().message};
        return *std::move(value);
    }

    const Json& json_;
};

template <class Spec>
void judge(const Spec& spec, const char* what, const std::string& name) {
    const auto errors = model::validate(spec);
    if (!errors.empty())
        throw Malformed{
            fmt::format("{} {}: {} {}", what, name, errors[0].pointer, errors[0].detail)};
}
void judge(const NamespaceDelta& within) {
    judge(within.spec, "namespace", within.spec.name);
    const auto apex = wire::Name::parse(within.spec.name);
    for (const RRsetDelta& rrset : within.records) {
        if (!within.spec.dns || !apex || !rrset.owner.is_at_or_below(*apex))
            throw Malformed{
                fmt::format("{} is not in namespace {}", rrset.owner.print(), within.spec.name)};
        for (const auto& rdata : rrset.records) {
            if (!wire::decode_rdata(rrset.type, rdata))
                throw Malformed{fmt::format("{} has RDATA that is no {}", rrset.owner.print(),
                                            wire::print(rrset.type))};
        }
    }
}
void judge(const ServiceDelta& service) {
    judge(service.spec, "service", service.spec.name);
    for (const Instance& instance : service.instances)
        judge(instance.spec, "instance", instance.spec.id);
    if (!std::ranges::is_sorted(service.instances, std::less_equal(),
                                [](const Instance& i) -> std::string_view { return i.spec.id; }) &&
        service.instances.size() > 1)
        throw Malformed{"instances are not in the order of their ids"};
}
void judge(const Delta& delta) {
    for (const NamespaceDelta& within : delta.namespaces) judge(within);
    for (const ServiceDelta& service : delta.services) judge(service);
}

template <class Value>
Result<Value> parse_judged(std::string_view text) {
    try {
        Value value;
        Parser::parse(Json::parse(text), value);
        judge(value);
        return value;
    } catch (const Malformed& malformed) {
        return fail(malformed.detail);
    } catch (const Json::exception& exception) {
        return fail(exception.what());
    }
}

template <class Value>
std::string print_line(Value value) {
    return Printer::print(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr std::size_t rrsets_in_part = 500;

RRsetDelta delta_of(const tree::Node& owner, const tree::RRset& rrset) {
    RRsetDelta delta{owner.owner(), rrset.type(), rrset.ttl(), {}};
    for (std::size_t i = 0; i < rrset.size(); ++i) {
        const auto rdata = rrset.rdata(i);
        delta.records.emplace_back(rdata.begin(), rdata.end());
    }
    return delta;
}

NamespaceDelta bare_delta_of(const Namespace& within) {
    return {within.spec, within.revision, within.serial, within.following, false, {}};
}

bool is_same(const Namespace* before, const Namespace& after) {
    return before && before->spec == after.spec && before->revision == after.revision &&
           before->serial == after.serial && before->following == after.following;
}

NamespaceDelta difference(const Namespace* before, const Namespace& after) {
    if (!before) return delta_of(after);
    NamespaceDelta delta = bare_delta_of(after);
    if (before->records == after.records) return delta;
    if (!before->records || !after.records) return delta_of(after);
    tree::for_each_change(
        *before->records, *after.records,
        [&](const tree::Node& owner, wire::RrType type, const auto*, const auto* is) {
            delta.records.push_back(is ? delta_of(owner, *is)
                                       : RRsetDelta{owner.owner(), type, 0, {}});
        });
    return delta;
}

ServiceDelta difference(const Service& before, const Service& after) {
    ServiceDelta delta{after.spec, after.revision, after.health_revision, false, {}, {}};
    auto was = before.instances.begin();
    const auto end = before.instances.end();
    for (const auto& instance : after.instances) {
        for (; was != end && (*was)->spec.id < instance->spec.id; ++was)
            delta.gone.push_back((*was)->spec.id);
        const bool there = was != end && (*was)->spec.id == instance->spec.id;
        // Immutable: what did not change is the same object.
        if (!there || *was != instance) delta.instances.push_back(*instance);
        if (there) ++was;
    }
    for (; was != end; ++was) delta.gone.push_back((*was)->spec.id);
    return delta;
}

struct Named {
    std::set<std::string> namespaces;
    std::set<ServiceKey> services;

    void add(const model::Event& event) {
        if (event.namespace_name.empty()) return;  // keys stay where they are
        namespaces.insert(event.namespace_name);
        if (!event.service.empty()) services.insert({event.namespace_name, event.service});
    }
};

}  // namespace

NamespaceParts::NamespaceParts(const Namespace& within) : within_(within) {
    if (!within.records) return;
    within.records->for_each_unsorted([&](const tree::Node& node) { nodes_.push_back(&node); });
}

std::optional<NamespaceDelta> NamespaceParts::next() {
    if (begun_ && at_ == nodes_.size()) return std::nullopt;
    NamespaceDelta part = bare_delta_of(within_);
    part.is_whole = !std::exchange(begun_, true);
    for (; at_ < nodes_.size() && part.records.size() < rrsets_in_part; ++at_) {
        for (const auto& rrset : nodes_[at_]->rrsets())
            part.records.push_back(delta_of(*nodes_[at_], *rrset));
    }
    return part;
}

NamespaceDelta delta_of(const Namespace& within) {
    NamespaceDelta delta = bare_delta_of(within);
    delta.is_whole = true;
    NamespaceParts parts(within);
    while (auto part = parts.next())
        std::ranges::move(part->records, std::back_inserter(delta.records));
    return delta;
}

ServiceDelta delta_of(const Service& service) {
    ServiceDelta delta{service.spec, service.revision, service.health_revision, true, {}, {}};
    for (const auto& instance : service.instances) delta.instances.push_back(*instance);
    return delta;
}

Delta difference(const State& before, const State& after, const std::vector<ServiceKey>& touched,
                 const std::vector<std::string>& zones,
                 const std::vector<std::shared_ptr<const model::Event>>& events, WallTime now) {
    Delta delta;
    delta.from = before.revision;
    delta.revision = after.revision;
    delta.now = now;
    Named named;
    named.namespaces.insert(zones.begin(), zones.end());
    for (const ServiceKey& key : touched) {
        named.services.insert(key);
        named.namespaces.insert(key.namespace_name);
    }
    for (const auto& event : events) {
        named.add(*event);
        delta.events.push_back(*event);
    }
    for (const std::string& name : named.namespaces) {
        const Namespace* was = before.find_namespace(name);
        const Namespace* is = after.find_namespace(name);
        if (is && !is_same(was, *is)) delta.namespaces.push_back(difference(was, *is));
        if (was && !is) delta.gone_namespaces.push_back(name);
    }
    for (const ServiceKey& key : named.services) {
        const Service* was = before.find_service(key.namespace_name, key.service);
        const Service* is = after.find_service(key.namespace_name, key.service);
        if (is) delta.services.push_back(was ? difference(*was, *is) : delta_of(*is));
        if (was && !is) delta.gone_services.push_back(key);
    }
    return delta;
}

Delta refresh(model::Revision from, const State& state, const std::vector<model::Event>& events,
              WallTime now) {
    Delta delta;
    delta.from = from;
    delta.revision = state.revision;
    delta.now = now;
    Named named;
    for (const model::Event& event : events) {
        named.add(event);
        delta.events.push_back(event);
    }
    // Pointers move the serials of reverse zones, and have no events of their own.
    state.namespaces.for_each([&](const std::string& name, const auto& within) {
        if (within->spec.dns && name.ends_with(".arpa")) named.namespaces.insert(name);
    });
    for (const std::string& name : named.namespaces) {
        if (const Namespace* is = state.find_namespace(name))
            delta.namespaces.push_back(delta_of(*is));
        else
            delta.gone_namespaces.push_back(name);
    }
    for (const ServiceKey& key : named.services) {
        if (const Service* is = state.find_service(key.namespace_name, key.service))
            delta.services.push_back(delta_of(*is));
        else
            delta.gone_services.push_back(key);
    }
    return delta;
}

std::string print(const Delta& delta) { return print_line(delta); }
std::string print(const NamespaceDelta& within) { return print_line(within); }
std::string print(const ServiceDelta& service) { return print_line(service); }

Result<Delta> parse_delta(std::string_view json) { return parse_judged<Delta>(json); }
Result<NamespaceDelta> parse_namespace_delta(std::string_view json) {
    return parse_judged<NamespaceDelta>(json);
}
Result<ServiceDelta> parse_service_delta(std::string_view json) {
    return parse_judged<ServiceDelta>(json);
}

}  // namespace dnsd::registry
