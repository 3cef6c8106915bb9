#include "tools/failover-lab/rig/service.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

std::string process_name(int instance) { return fmt::format("instance-{}", instance + 1); }

std::string path_of(const std::string& service) {
    return fmt::format("/v1/namespaces/{}/services/{}", at::zone, service);
}

Json instance_json(int instance) {
    return {{"ipv4", at::instance(instance)}, {"port", at::instance_port}};
}

Json check_json(const Setting& setting) {
    Json check = {{"type", setting.check},
                  {"interval", setting.interval},
                  {"timeout", setting.check_timeout()},
                  {"rise", setting.rise},
                  {"fall", setting.fall}};
    if (setting.check == "http") check["path"] = "/health?by=dnsd";
    return check;
}

}  // namespace

std::string asked_service(const Setting& setting) {
    return std::string(setting.fault == "born" ? at::late_service : at::service);
}

std::string asked_name(const Setting& setting) {
    return fmt::format("{}.{}", asked_service(setting), at::zone);
}

Child* instance_process(Scene& scene, int instance) noexcept {
    return scene.child(process_name(instance));
}

Result<> start_instance(Scene& scene, ProbeLog& probes, int instance) {
    const std::string name = process_name(instance);
    Child* child = scene.child(name);
    if (child != nullptr) {
        if (auto again = child->start_again(); !again) return again;
    } else {
        auto made =
            scene.spawn(name, "instance",
                        {scene.equipment().self, "backend", at::instance(instance),
                         std::to_string(at::instance_port), fmt::format("i-{}", instance + 1)},
                        {.environment = {}, .pipes = true, .directory = ""});
        if (!made) return std::unexpected(made.error());
        child = *made;
    }
    probes.watch(instance, child->output());
    return scene.wait_until(name + " listens",
                            [&] { return probes.is_ready(instance) || !child->is_running(); });
}

Result<> register_instance(Scene& scene, const std::string& service, int instance) {
    auto done = scene.api("PUT", fmt::format("{}/instances/i-{}", path_of(service), instance + 1),
                          instance_json(instance).dump());
    if (!done) return std::unexpected(done.error());
    return {};
}

Result<> register_service(Scene& scene, const std::string& service) {
    const Setting& setting = scene.setting();
    Json zone = {{"ttl", setting.ttl}, {"negative_ttl", setting.negative_ttl}};
    if (const Way* way = find_way(setting.way); way != nullptr && way->is_secondary) {
        zone["notify"] = {at::cache};
        zone["transfer"] = {"127.0.0.0/8", at::dnsd};
    }
    const Json fields = {{"ttl", setting.ttl}, {"check", check_json(setting)}};
    Json instances = Json::array();
    for (int n = 0; n < setting.instances; ++n) {
        instances.push_back(instance_json(n));
        instances.back()["id"] = fmt::format("i-{}", n + 1);
    }
    for (const auto& [path, body] :
         {std::pair{fmt::format("/v1/namespaces/{}", at::zone), zone},
          std::pair{path_of(service), fields},
          std::pair{path_of(service) + "/instances", Json{{"instances", instances}}}}) {
        if (auto done = scene.api("PUT", path, body.dump()); !done) {
            return std::unexpected(done.error());
        }
    }
    return {};
}

Result<> start_service(Scene& scene, ProbeLog& probes) {
    const Setting& setting = scene.setting();
    for (int n = 0; n < setting.instances; ++n) {
        if (auto done = start_instance(scene, probes, n); !done) return done;
    }
    if (auto done = scene.start_dnsd("dnsd", {}); !done) return done;
    if (auto version = scene.run({scene.equipment().dnsd, "--version"})) {
        scene.versions["dnsd"] = version->substr(0, version->find('\n'));
    }
    const std::string service(at::service);
    if (auto done = register_service(scene, service); !done) return done;
    auto healthy = scene.wait_until(
        "all instances are healthy",
        [&] {
            const auto list = scene.api("GET", path_of(service) + "/instances?status=healthy");
            const Json json = list ? Json::parse(*list, nullptr, false) : Json();
            return json.is_object() && json.contains("instances") &&
                   std::ssize(json["instances"]) == setting.instances;
        },
        10 + setting.interval * static_cast<double>(setting.rise + 1));
    if (!healthy || setting.publish_delay <= 0) return healthy;
    // What was registered need not wait: a restart keeps it, and what is believed of it.
    return restart_dnsd(scene);
}

Result<> restart_dnsd(Scene& scene) {
    scene.child("dnsd")->kill();
    std::vector<std::string> settings;
    if (const double delay = scene.setting().publish_delay; delay > 0) {
        settings.push_back(fmt::format("registry.publish_delay={}", delay));
    }
    return scene.start_dnsd("dnsd", std::move(settings));
}

}  // namespace dnsd::lab
