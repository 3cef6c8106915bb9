#include "tools/failover-lab/rig/order.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::pair<Order::Kind, const char*>, 3> kinds{{
    {Order::Kind::Run, "run"},
    {Order::Kind::EffectiveTtl, "effective_ttl"},
    {Order::Kind::Cost, "cost"},
}};

}  // namespace

Json to_json(const Order& order) {
    const Equipment& equipment = order.equipment;
    Json json = {{"folder", order.folder},
                 {"setting", to_json(order.setting)},
                 {"cell", order.cell},
                 {"number", order.number},
                 {"phase", order.phase},
                 {"seed", order.seed},
                 {"watch", order.watch},
                 {"cache", order.cache},
                 {"ttls", order.ttls},
                 {"equipment",
                  {{"dnsd", equipment.dnsd},
                   {"agent", equipment.agent},
                   {"envoy", equipment.envoy},
                   {"unpacked", equipment.unpacked},
                   {"runtimes", equipment.runtimes},
                   {"self", equipment.self},
                   {"classes", equipment.classes}}}};
    for (const auto& [kind, name] : kinds) {
        if (kind == order.kind) json["kind"] = name;
    }
    return json;
}

Result<Order> order_from_json(const Json& json) {
    // What our own program wrote for itself: anything else is a fault of whoever calls it by hand.
    try {
        Order order;
        const auto name = json.at("kind").get<std::string>();
        for (const auto& [kind, known] : kinds) {
            if (name == known) order.kind = kind;
        }
        auto setting = setting_from_json(json.at("setting"));
        if (!setting) return std::unexpected(setting.error());
        order.setting = *setting;
        json.at("folder").get_to(order.folder);
        json.at("cell").get_to(order.cell);
        json.at("number").get_to(order.number);
        json.at("phase").get_to(order.phase);
        json.at("seed").get_to(order.seed);
        json.at("watch").get_to(order.watch);
        json.at("cache").get_to(order.cache);
        json.at("ttls").get_to(order.ttls);
        const Json& equipment = json.at("equipment");
        equipment.at("dnsd").get_to(order.equipment.dnsd);
        equipment.at("agent").get_to(order.equipment.agent);
        equipment.at("envoy").get_to(order.equipment.envoy);
        equipment.at("unpacked").get_to(order.equipment.unpacked);
        equipment.at("runtimes").get_to(order.equipment.runtimes);
        equipment.at("self").get_to(order.equipment.self);
        equipment.at("classes").get_to(order.equipment.classes);
        return order;
    } catch (const Json::exception& problem) {
        return fail(std::string("an order is incomplete: ") + problem.what());
    }
}

Result<> carry_out(const Order& order) {
    switch (order.kind) {
        case Order::Kind::EffectiveTtl:
            return measure_effective_ttl(order);
        case Order::Kind::Cost:
            return measure_cost(order);
        case Order::Kind::Run:
            break;
    }
    return carry_out_run(order);
}

}  // namespace dnsd::lab
