// The service whose instances clients look for: their processes, and what dnsd is told of them.
#pragma once

#include <string>

#include "base/result.h"
#include "tools/failover-lab/rig/probes.h"
#include "tools/failover-lab/rig/scene.h"

namespace dnsd::lab {

// What clients ask for: the late service where it is born during the run.
std::string asked_service(const Setting& setting);
std::string asked_name(const Setting& setting);  // with the zone

// The process of an instance, listening when this returns; also again, after it has ended.
Result<> start_instance(Scene& scene, ProbeLog& probes, int instance);
Child* instance_process(Scene& scene, int instance) noexcept;  // null: never started

// The zone, and in it the service with all instances, as the setting has them.
Result<> register_service(Scene& scene, const std::string& service);
Result<> register_instance(Scene& scene, const std::string& service, int instance);

// dnsd again with what it has kept, whether it still runs or not.
Result<> restart_dnsd(Scene& scene);

// All instances, dnsd, and the service in it; returns when all are healthy.
Result<> start_service(Scene& scene, ProbeLog& probes);

}  // namespace dnsd::lab
