#include "tools/failover-lab/suite.h"

namespace dnsd::lab {
namespace {

// ECS Service Connect, as its documentation has it: Envoy is told of the tasks by a control plane
// that believes ECS (container health checks: 30 s, 5 s, 3 in a row), tries twice more, each time
// elsewhere, gives a request 15 s, and sets an instance aside that failed 5 times. It has no
// timeout of a try.
Setting service_connect() {
    Setting setting;
    setting.way = "envoy-outlier";
    setting.interval = 30;
    setting.timeout = 5;
    setting.fall = 3;
    setting.proxy_retries = 2;
    setting.try_timeout = 15;
    setting.deadline = 15;
    return setting;
}

// ECS service discovery on Cloud Map, as its console fills it in: A records of 60 s, and the
// container health checks of ECS.
Setting ecs_service_discovery() {
    Setting setting;
    setting.ttl = 60;
    setting.interval = 30;
    setting.timeout = 5;
    setting.fall = 3;
    return setting;
}

// Ribbon with Eureka at their defaults: a heartbeat each 30 s and a lease of three, the registry's
// own cache of responses for 30 s, and a client that fetches the list each 30 s.
Setting ribbon() {
    Setting setting;
    setting.way = "poll-30";
    setting.interval = 30;
    setting.timeout = 5;
    setting.fall = 3;
    setting.publish_delay = 30;
    return setting;
}

// What we would set where it has to be quick: the replica on the node, checks twice a second,
// clients that try once more elsewhere and have what failed them probed at once.
Setting fast() {
    Setting setting;
    setting.way = "replica";
    setting.ttl = 5;
    setting.interval = 0.5;
    setting.client_retries = 1;
    setting.reconfirm = true;
    return setting;
}

Preset row(std::string_view name, std::string_view about, Setting setting) {
    setting.preset = name;
    return {name, about, std::move(setting)};
}

const std::vector<Preset> table{
    row("service-connect",
        "Envoy with the timeouts, retries and ejection that AWS publishes for ECS Service Connect, "
        "and "
        "ECS's container health checks",
        service_connect()),
    row("ecs-service-discovery",
        "DNS as ECS service discovery sets it up: TTL 60 s, checks of 30 s, 3 in a row",
        ecs_service_discovery()),
    row("ribbon", "client-side balancing as Ribbon and Eureka do it out of the box", ribbon()),
    row("fast", "dnsd's replica with quick checks, one retry and reconfirmation", fast()),
};

}  // namespace

const std::vector<Preset>& presets() { return table; }

}  // namespace dnsd::lab
