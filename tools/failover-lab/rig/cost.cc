// What a way costs while nothing is wrong: pairs of requests, one straight to an instance and one
// on the way, half a period apart, so that whatever else the machine does hits both alike.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/model/measured.h"
#include "tools/failover-lab/model/stats.h"
#include "tools/failover-lab/rig/generator.h"
#include "tools/failover-lab/rig/load.h"
#include "tools/failover-lab/rig/order.h"
#include "tools/failover-lab/rig/probes.h"
#include "tools/failover-lab/rig/seconds.h"
#include "tools/failover-lab/rig/service.h"
#include "tools/failover-lab/rig/tap.h"
#include "tools/failover-lab/rig/versions.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

constexpr double pairs_per_second = 200;
// What begins with the way (first lists, first polls) is over after a while. What comes less often
// than the idle time is not seen: Envoy's held requests come again every 15 to 20 s, with 77 kB
// each.
constexpr double settling_seconds = 0.6, idle_seconds = 2;
constexpr double warm_up_seconds = 1, measured_seconds = 5;
// A pair of which one failed says nothing of latency; of a way that fails more than this, nothing
// does.
constexpr double failed_share_max = 0.01;
constexpr std::uint16_t dns_port = 53, api_port = 8053;

// The addresses of all instances, known from the start.
class KnownInstances : public AddressSource {
  public:
    explicit KnownInstances(std::int64_t count) : addresses_{true, {}} {
        for (int n = 0; n < count; ++n) {
            if (const auto ip = parse_ipv4(at::instance(n))) {
                addresses_.list.push_back({*ip, at::instance_port});
            }
        }
    }
    void resolve(Done done) override { done(addresses_); }

  private:
    Addresses addresses_;
};

// All that went through loopback, which is all that went anywhere: "lo: octets packets ...".
Traffic traffic_of_loopback() {
    std::ifstream file("/proc/self/net/dev");
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find("lo:");
        if (colon == std::string::npos) continue;
        Traffic traffic;
        std::istringstream numbers(line.substr(colon + 3));
        numbers >> traffic.octets >> traffic.packets;
        return traffic;
    }
    return {};
}

// What counts on and on, read at one moment.
struct Reading {
    SteadyTime when;
    std::map<std::string, double> cpu_seconds;  // by part
    std::size_t answers = 0;                    // of dnsd to DNS queries
    Traffic all, discovery;                     // discovery: DNS and dnsd's API
};

struct Rate {
    double packets = 0, octets = 0;  // a second
};

Rate operator+(const Rate& a, const Rate& b) {
    return {a.packets + b.packets, a.octets + b.octets};
}

Rate rate_of(const Traffic& before, const Traffic& after, double seconds) {
    return {static_cast<double>(after.packets - before.packets) / seconds,
            static_cast<double>(after.octets - before.octets) / seconds};
}

Rate more(const Rate& a, const Rate& b) {
    return {std::max(0.0, a.packets - b.packets), std::max(0.0, a.octets - b.octets)};
}

double seconds_between(const Reading& a, const Reading& b) {
    return std::chrono::duration<double>(b.when - a.when).count();
}

CostRecord::Latency latency_of(const std::vector<double>& values) {
    return {quantile(values, 0.5), quantile(values, 0.9), quantile(values, 0.99)};
}

class Measurement {
  public:
    Measurement(const Setting& setting, const Way& way, std::unique_ptr<Scene> scene)
        : setting_(setting), way_(way), scene_(std::move(scene)) {}

    Result<> carry_out(CostRecord& record) {
        if (auto started = start(); !started) return started;
        record.version = version();
        record.rate = setting_.rate;

        std::this_thread::sleep_for(nanoseconds_of(settling_seconds));
        const Reading idle_begin = read();
        std::this_thread::sleep_for(nanoseconds_of(idle_seconds));
        const Reading idle_end = read();

        zero_ = machine_clock().steady() + Milliseconds(20);
        direct_->start(zero_);
        through_->start(zero_ + nanoseconds_of(0.5 / setting_.rate));
        std::thread load([this] { loop_.run(); });
        std::this_thread::sleep_until(zero_ + nanoseconds_of(warm_up_seconds));
        const Reading begin = read();
        std::this_thread::sleep_until(begin.when + nanoseconds_of(measured_seconds));
        const Reading end = read();
        note_memory(record);
        direct_->end_at(machine_clock().steady());
        through_->end_at(machine_clock().steady());
        load.join();

        note_cpu(record, begin, end);
        note_traffic(record, {idle_begin, idle_end}, {begin, end});
        return note_latency(record);
    }

  private:
    Result<> start() {
        auto tap = Tap::open();
        if (!tap) return std::unexpected(tap.error());
        tap_ = std::move(*tap);
        if (auto done = start_service(*scene_, probes_); !done) return done;
        if (way_.start != nullptr) {
            if (auto done = way_.start(*scene_); !done) return done;
        }
        std::vector<AddressSource*> direct, through;
        for (int client = 0; client < setting_.clients; ++client) {
            auto source = make_source(*scene_, loop_, client);
            if (!source) return std::unexpected(source.error());
            through.push_back(source->get());
            sources_.push_back(std::move(*source));
            sources_.push_back(std::make_unique<KnownInstances>(setting_.instances));
            direct.push_back(sources_.back().get());
        }
        direct_ = std::make_unique<Generator>(loop_, setting_, direct, 1, nullptr);
        through_ = std::make_unique<Generator>(loop_, setting_, through, 1, nullptr);
        for (Generator* generator : {direct_.get(), through_.get()}) {
            generator->when_done([this] {
                if (++done_ == 2) loop_.stop();
            });
        }
        return {};
    }

    std::string version() {
        if (way_.needs.empty()) return scene_->versions["dnsd"];
        if (way_.needs.front() == "envoy") return scene_->versions["Envoy"];
        return version_of(*scene_, way_.needs.front());
    }

    // Parts that stand for the way; instances and clients are there on every way.
    static bool counts(const Child& child) {
        constexpr std::string_view parts[] = {"proxy", "cache", "dnsd", "agent"};
        return std::ranges::find(parts, child.part()) != std::end(parts);
    }

    Reading read() const {
        Reading reading;
        reading.when = machine_clock().steady();
        for (const auto& [_, child] : scene_->children()) {
            if (counts(*child)) reading.cpu_seconds[child->part()] += child->cpu_seconds();
        }
        reading.answers = tap_->answers().size();
        reading.all = traffic_of_loopback();
        for (const std::uint16_t port : {dns_port, api_port}) {
            const Traffic traffic = tap_->traffic(port);
            reading.discovery.packets += traffic.packets;
            reading.discovery.octets += traffic.octets;
        }
        return reading;
    }

    void note_memory(CostRecord& record) const {
        for (const auto& [_, child] : scene_->children()) {
            if (counts(*child)) record.memory_octets[child->part()] += child->memory_octets();
        }
    }

    // What the parts would do without requests too is in it, shared among them.
    void note_cpu(CostRecord& record, const Reading& begin, const Reading& end) const {
        const double requests = setting_.rate * seconds_between(begin, end);
        for (const auto& [part, seconds] : end.cpu_seconds) {
            const auto before = begin.cpu_seconds.find(part);
            const double since = before == begin.cpu_seconds.end() ? 0 : before->second;
            record.cpu_us_per_request[part] = (seconds - since) * 1e6 / requests;
        }
    }

    // Without load all that goes anywhere is discovery and checks. Under load discovery alone can
    // be told from requests: it counts with what is more of it then.
    static void note_traffic(CostRecord& record, const std::pair<Reading, Reading>& idle,
                             const std::pair<Reading, Reading>& busy) {
        const double idle_time = seconds_between(idle.first, idle.second);
        const double busy_time = seconds_between(busy.first, busy.second);
        const Rate control = rate_of(idle.first.all, idle.second.all, idle_time) +
                             more(rate_of(busy.first.discovery, busy.second.discovery, busy_time),
                                  rate_of(idle.first.discovery, idle.second.discovery, idle_time));
        record.messages_per_second = control.packets;
        record.octets_per_second = control.octets;
        record.queries_per_second =
            static_cast<double>(busy.second.answers - busy.first.answers) / busy_time;
    }

    Result<> note_latency(CostRecord& record) const {
        const auto& direct = direct_->log();
        const auto& through = through_->log();
        std::vector<double> directly, on_the_way, added;
        std::size_t pairs = 0;
        for (std::size_t n = 0; n < std::min(direct.size(), through.size()); ++n) {
            if (direct[n].intended() < warm_up_seconds) continue;
            ++pairs;
            if (direct[n].failed() || through[n].failed()) continue;
            directly.push_back(direct[n].latency_us);
            on_the_way.push_back(through[n].latency_us);
            added.push_back(on_the_way.back() - directly.back());
        }
        const auto failed = static_cast<double>(pairs - added.size());
        if (pairs == 0 || failed > failed_share_max * static_cast<double>(pairs)) {
            return fail(fmt::format("{} of {} pairs of requests failed", failed, pairs));
        }
        record.direct = latency_of(directly);
        record.through = latency_of(on_the_way);
        record.added = latency_of(added);
        return {};
    }

    Setting setting_;
    const Way& way_;
    ProbeLog probes_;
    std::unique_ptr<Scene> scene_;
    std::unique_ptr<Tap> tap_;
    io::Loop loop_;
    std::vector<std::unique_ptr<AddressSource>> sources_;
    std::unique_ptr<Generator> direct_, through_;
    int done_ = 0;
    SteadyTime zero_{};
};

}  // namespace

Result<> measure_cost(const Order& order) {
    const Way* way = find_way(order.setting.way);
    if (way == nullptr) return fail(fmt::format("there is no way '{}'", order.setting.way));
    Setting setting = order.setting;
    setting.rate = pairs_per_second;
    CostRecord record;
    record.way = way->name;
    record.title = way->title;
    auto scene = Scene::make(setting, order.equipment, order.folder);
    if (!scene) {
        record.problem = scene.error().message;
    } else if (auto done = Measurement(setting, *way, std::move(*scene)).carry_out(record); !done) {
        record.problem = done.error().message;
    }
    return replace_file(order.folder + "/cost.json", to_json(record).dump(1));
}

}  // namespace dnsd::lab
