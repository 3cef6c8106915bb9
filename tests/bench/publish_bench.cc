// What one change costs to publish: the zone must not be paid for again, only the service that
// changed. Prints time (p50, p99) and memory allocated per change, for zones of 1,000 to 100,000
// services of 10 instances, and for one service of 10 to 10,000 instances.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "base/random.h"
#include "tests/bench/machine.h"
#include "tests/support/services.h"
#include "zone/registry/publication.h"

namespace {

std::size_t allocated_octets = 0;

}  // namespace

void* operator new(std::size_t octets) {
    allocated_octets += octets;
    if (void* memory = std::malloc(octets)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace dnsd;
using namespace dnsd::registry;

constexpr int changes = 2'000;
const Infrastructure infrastructure;

std::shared_ptr<const Service> service_of(const std::string& name, int instances) {
    std::vector<model::Instance> made;
    for (int i = 0; i < instances; ++i) {
        made.push_back(test::instance("i-" + std::to_string(i)));
        made.back().spec.ipv4 =
            Ipv4{{10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}};
    }
    return std::make_shared<const Service>(test::service(name, std::move(made)));
}

// One instance changes its belief.
std::shared_ptr<const Service> with_one_flipped(const Service& service, Random& random) {
    auto next = std::make_shared<Service>(service);
    auto& one =
        next->instances[draw_below(random, static_cast<std::uint32_t>(next->instances.size()))];
    auto flipped = std::make_shared<model::Instance>(*one);
    flipped->status = one->status == model::HealthStatus::Healthy ? model::HealthStatus::Unhealthy
                                                                  : model::HealthStatus::Healthy;
    one = std::move(flipped);
    return next;
}

void measure(int services, int instances) {
    Random random(1);
    Namespace within;
    within.spec.name = "example.org";
    std::shared_ptr<const tree::ZoneSet> zones;
    {
        Publication publication(std::make_shared<const tree::ZoneSet>(), infrastructure);
        publication.put_namespace(nullptr, within);
        for (int i = 0; i < services; ++i) {
            const auto service = service_of("s" + std::to_string(i), instances);
            within.services.set(service->spec.name, service);
            publication.put_service(within, nullptr, service.get(), test::noon, {});
        }
        zones = publication.finish();
    }

    std::vector<double> microseconds;
    std::size_t octets = 0;
    for (int i = 0; i < changes; ++i) {
        const std::string name =
            "s" + std::to_string(draw_below(random, static_cast<std::uint32_t>(services)));
        const auto before = *within.services.find(name);
        const auto after = with_one_flipped(*before, random);
        const auto start = std::chrono::steady_clock::now();
        const std::size_t octets_before = allocated_octets;
        within.services.set(name, after);
        Publication publication(zones, infrastructure);
        publication.put_service(within, before.get(), after.get(), test::noon, {});
        ++within.serial;
        publication.set_serial(within);
        zones = publication.finish();
        octets += allocated_octets - octets_before;
        microseconds.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
                .count());
    }
    std::ranges::sort(microseconds);
    std::printf("%10d %10d %10.1f %10.1f %14zu\n", services, instances, microseconds[changes / 2],
                microseconds[changes * 99 / 100], octets / changes);
}

}  // namespace

int main() {
    test::print_machine();
    std::printf("%d changes each\n", changes);
    std::printf("%10s %10s %10s %10s %14s\n", "services", "instances", "p50 us", "p99 us",
                "octets/change");
    for (const int services : {1'000, 10'000, 100'000}) measure(services, 10);
    for (const int instances : {10, 100, 1'000, 10'000}) measure(1, instances);
}
