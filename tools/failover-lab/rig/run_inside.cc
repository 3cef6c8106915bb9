// One run: all is started and steady, the fault comes at its phase, and what was seen is written
// down.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/http/client.h"
#include "base/text.h"
#include "tools/failover-lab/model/faults.h"
#include "tools/failover-lab/model/files.h"
#include "tools/failover-lab/model/model.h"
#include "tools/failover-lab/model/run_record.h"
#include "tools/failover-lab/model/stats.h"
#include "tools/failover-lab/rig/load.h"
#include "tools/failover-lab/rig/order.h"
#include "tools/failover-lab/rig/probes.h"
#include "tools/failover-lab/rig/seconds.h"
#include "tools/failover-lab/rig/service.h"
#include "tools/failover-lab/rig/tap.h"
#include "tools/failover-lab/rig/ways.h"

namespace dnsd::lab {
namespace {

using Json = nlohmann::json;

constexpr double steady_seconds = 1.5;  // of load before the fault is due, at least
constexpr double never = std::numeric_limits<double>::quiet_NaN();

SteadyTime steady_now() { return machine_clock().steady(); }

double wall_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

class Run {
  public:
    Run(const Order& order, const Way& way, const Fault& fault, std::unique_ptr<Scene> scene)
        : order_(order),
          setting_(order.setting),
          way_(way),
          fault_(fault),
          clocks_(way.clocks(setting_)),
          scene_(std::move(scene)) {
        record_.cell = order.cell;
        record_.number = order.number;
        record_.setting = setting_;
        record_.phase = order.phase;
        record_.seed = order.seed;
        record_.started = print_time(machine_clock().wall());
    }

    Result<> carry_out() {
        for (const auto step : {&Run::start, &Run::align, &Run::act, &Run::finish}) {
            if (auto done = (this->*step)(); !done) return done;
        }
        return {};
    }

    RunRecord& record() noexcept { return record_; }
    const std::vector<Request>& log() const noexcept { return load_->log(); }

  private:
    double at(SteadyTime time) const { return std::chrono::duration<double>(time - zero_).count(); }
    double now() const { return at(steady_now()); }
    void sleep_until(double time) const {
        std::this_thread::sleep_until(zero_ + nanoseconds_of(time));
    }

    bool is_born_during_the_run() const { return plan().front().what == "first_request"; }
    std::vector<Action> plan() const { return fault_.plan(setting_); }
    int victim() const {
        for (const Action& action : plan()) {
            if (action.instance >= 0) return action.instance;
        }
        return 0;
    }

    Result<> start() {
        auto tap = Tap::open();
        if (!tap) return std::unexpected(tap.error());
        tap_ = std::move(*tap);
        if (auto done = start_service(*scene_, probes_); !done) return done;
        if (victim() >= setting_.instances) {  // the one that is added
            if (auto done = start_instance(*scene_, probes_, victim()); !done) return done;
        }
        if (way_.start != nullptr) {
            if (auto done = way_.start(*scene_); !done) return done;
        }
        auto load = Load::make(*scene_, order_.seed);
        if (!load) return std::unexpected(load.error());
        load_ = std::move(*load);
        const auto begin = time_to_begin();
        if (!begin) return std::unexpected(begin.error());
        zero_ = *begin;
        record_.phases.wall_start =
            wall_now() + std::chrono::duration<double>(zero_ - steady_now()).count();
        load_->start(zero_);
        return {};
    }

    // What the client keeps it fetches first when the load begins: so this sets its clock against
    // that of the probes. At the fault these are at phases that the runs of a cell spread evenly
    // too, and that are the same in both runs of a pair.
    Result<SteadyTime> time_to_begin() {
        constexpr double interval_max = 3;  // nobody waits for longer
        const SteadyTime soon = steady_now() + Milliseconds(20);
        // A TCP check is no request that an instance could tell of.
        const bool is_probed =
            clocks_.checker != Clocks::Checker::Nobody && setting_.check == "http";
        if (!is_probed || setting_.interval > interval_max || is_born_during_the_run()) return soon;
        // The first probe after a registration comes at once, and not on a tick.
        const auto probes = [this] { return probes_.probes(victim(), checker()); };
        if (victim() < setting_.instances) {
            auto waited = scene_->wait_until(
                "a probe is on its tick", [&] { return probes().size() > 1; }, interval_max + 10);
            if (!waited) return std::unexpected(waited.error());
        }
        if (probes().empty()) return soon;
        constexpr double golden_ratio = 0.6180339887;
        double phase = (order_.number + 0.5) * golden_ratio;
        for (const ViewClock& view : clocks_.views) {
            if (view.kind != ViewClock::Kind::Ttl) continue;
            const double kept =
                EffectiveTtls().lifetime(view.cache, static_cast<double>(setting_.ttl), 0);
            phase -= order_.phase * kept / setting_.interval;
        }
        phase -= std::floor(phase);
        SteadyTime begin = probes().back() + nanoseconds_of(phase * setting_.interval);
        while (begin < soon) begin += nanoseconds_of(setting_.interval);
        return begin;
    }

    // A clock that the fault's phase may be set against.
    struct Hand {
        std::string words;
        double period;
        std::function<double()> last;  // when it ticked last, on the run's clock
    };

    double last_probe(int instance) const {
        const auto times = probes_.probes(instance, checker());
        return times.empty() ? never : at(times.back());
    }
    std::string checker() const {
        return clocks_.checker == Clocks::Checker::Own ? "proxy" : "dnsd";
    }

    double last_fetch(std::size_t view) const {
        const ViewClock& clock = clocks_.views[view];
        if (clock.cache == "jvm") {
            // Nobody sees inside: it asked with the first request, and asks when that has lapsed.
            const double kept = EffectiveTtls().lifetime("jvm", 0, 0);
            return kept * std::floor(now() / kept);
        }
        std::optional<SteadyTime> when;
        if (clock.cache == "cache" || way_.family == Family::Polling) {
            when = load_->last_fetch();
        } else if (clock.kind != ViewClock::Kind::Push || !clock.cache.empty()) {
            when = tap_->last_answer_about(asked_service(setting_));
        }
        return when ? at(*when) : never;
    }

    std::vector<Hand> hands() const {
        std::vector<Hand> hands;
        if (clocks_.checker != Clocks::Checker::Nobody) {
            hands.push_back({fmt::format("probes of {}", checker()), setting_.interval,
                             [this] { return last_probe(victim()); }});
        }
        // Who keeps connections asks for addresses only when one has ended: no clock to go by.
        if (clocks_.checker == Clocks::Checker::Own || setting_.connections != "new") return hands;
        for (std::size_t n = 0; n < clocks_.views.size(); ++n) {
            const ViewClock& view = clocks_.views[n];
            if (view.kind == ViewClock::Kind::Push) continue;
            const bool is_cache = view.kind == ViewClock::Kind::Ttl;
            const double period = is_cache ? EffectiveTtls().lifetime(
                                                 view.cache, static_cast<double>(setting_.ttl), 0)
                                           : view.period;
            if (period <= 0) continue;
            hands.push_back({is_cache ? fmt::format("TTL of {}", view.cache) : "polls", period,
                             [this, n] { return last_fetch(n); }});
        }
        return hands;
    }

    // Waits until the fault's phase of the longest clock that can be seen, and says when that is.
    Result<> align() {
        if (is_born_during_the_run()) {
            record_.phases.fault = 0;
            return {};
        }
        sleep_until(steady_seconds - 0.3);
        auto hands = this->hands();
        std::erase_if(hands, [](const Hand& hand) { return std::isnan(hand.last()); });
        if (hands.empty()) {
            record_.phases.fault = steady_seconds + order_.phase * setting_.interval;
            record_.phase_clock = "none";
            return {};
        }
        // Of equals the last: the one nearest to the client.
        const auto longest =
            std::ranges::max_element(hands, std::ranges::less_equal{}, &Hand::period);
        record_.phase_clock = longest->words;
        const double offset = order_.phase * longest->period;
        const double earliest = now() + 0.1;
        double tick = longest->last();
        if (tick + offset < earliest) {
            const double patience = 2 * longest->period + 20;
            auto waited = scene_->wait_until(
                longest->words + " tick",
                [&] { return longest->last() > tick && longest->last() + offset > now(); },
                patience);
            if (!waited) return waited;
            tick = longest->last();
        }
        record_.phases.fault = tick + offset;
        return {};
    }

    void note_phases() {
        Phases& phases = record_.phases;
        for (Action action : plan()) {
            action.at += phases.fault;
            if (action.instance >= 0 &&
                (phases.victims.empty() || phases.victims.back() != action.instance)) {
                phases.victims.push_back(action.instance);
            }
            phases.plan.push_back(action);
        }
        std::ranges::sort(phases.victims);
        const auto same = std::ranges::unique(phases.victims);
        phases.victims.erase(same.begin(), same.end());
        const auto times = probes_.probes(victim(), checker());
        if (!times.empty()) phases.probe = at(times.back());
        if (times.size() > 1) {
            // The first probe after a registration comes at once, and not on a tick.
            const double span =
                std::chrono::duration<double>(times.back() - times.end()[-2]).count();
            if (std::abs(span / setting_.interval - 1) < 0.2) phases.probe_interval = span;
        }
        for (const int each : phases.victims) phases.probes.push_back(last_probe(each));
        for (std::size_t n = 0; n < clocks_.views.size(); ++n)
            phases.fetches.push_back(last_fetch(n));
    }

    Result<> act() {
        // Just before: what ticks in between is seen neither by the model nor by the fault.
        sleep_until(record_.phases.fault - 0.002);
        note_phases();
        double last = 0;
        for (const Action& planned : record_.phases.plan) {
            const double due = planned.what == "refuse" && safe_after_ ? *safe_after_ : planned.at;
            sleep_until(due);
            Action action = planned;
            action.at = now();
            if (!record_.marks.fault) record_.marks.fault = action.at;
            if (auto done = perform(action); !done) {
                return in_context(
                    fmt::format("{} of instance {}", action.what, action.instance + 1),
                    done.error());
            }
            record_.actions.push_back(action);
            last = action.at;
        }
        record_.end = std::max(record_.phases.fault + order_.watch, last + 1);
        load_->end_at(zero_ + nanoseconds_of(record_.end));
        load_->join();
        return {};
    }

    Result<> perform(const Action& action) {
        if (action.instance < 0) return perform_on_discovery(action.what);
        Child* child = instance_process(*scene_, action.instance);
        if (action.what == "refuse") {
            ::kill(child->id(), SIGKILL);
            child->kill();
        } else if (action.what == "hang") {
            ::kill(child->id(), SIGSTOP);
        } else if (action.what == "drop") {
            return drop_packets(action.instance);
        } else if (action.what == "sick") {
            return child->tell("health 503");
        } else if (action.what == "gray") {
            return child->tell("requests 503");
        } else if (action.what == "slow") {
            return child->tell("delay 0.4");
        } else if (action.what == "well") {
            return make_well(*child, action.instance);
        } else if (action.what == "register") {
            return register_instance(*scene_, asked_service(setting_), action.instance);
        } else if (action.what == "deregister") {
            return deregister(action.instance);
        }
        return {};
    }

    Result<> drop_packets(int instance) {
        const std::string rules = fmt::format(
            "table ip lab {{\n  chain input {{\n    type filter hook input priority 0;\n"
            "    ip daddr {} drop\n  }}\n}}\n",
            at::instance(instance));
        const std::string path = scene_->folder() + "/drop.nft";
        if (auto done = scene_->write(path, rules); !done) return done;
        auto done = scene_->run({"nft", "-f", path});
        if (!done) return std::unexpected(done.error());
        return {};
    }

    Result<> make_well(Child& child, int instance) {
        if (!child.is_running()) return start_instance(*scene_, probes_, instance);
        ::kill(child.id(), SIGCONT);
        if (auto done = child.tell("health 200"); !done) return done;
        if (auto done = child.tell("requests 200"); !done) return done;
        return child.tell("delay 0");
    }

    Result<> deregister(int instance) {
        auto reply =
            scene_->api("DELETE", fmt::format("/v1/namespaces/{}/services/{}/instances/i-{}",
                                              at::zone, asked_service(setting_), instance + 1));
        if (!reply) return std::unexpected(reply.error());
        if (fault_.name != "deregister_drained") return {};
        const Json json = Json::parse(*reply, nullptr, false);
        safe_after_ = on_run_clock(json.value("safe_after", Json()));
        if (!safe_after_) return fail("dnsd's reply has no safe_after: " + *reply);
        return {};
    }

    Result<> perform_on_discovery(std::string_view what) {
        if (what == "dnsd_down") {
            scene_->child("dnsd")->kill();
        } else if (what == "dnsd_up") {
            return restart_dnsd(*scene_);
        } else if (what == "store_lost") {
            scene_->child("dnsd")->kill();
            for (const std::string_view suffix : {"", "-wal", "-shm"}) {
                ::unlink(fmt::format("{}/dnsd.db{}", scene_->folder(), suffix).c_str());
            }
            return restart_dnsd(*scene_);
        } else if (what == "register") {
            return register_service(*scene_, asked_service(setting_));
        } else if (what == "proxy_down") {
            for_each_between([](Child& child) { child.kill(); });
        } else if (what == "proxy_up") {
            Result<> done;
            for_each_between([&](Child& child) {
                if (done) done = child.start_again();
            });
            return done;
        } else if (what == "agent_down") {
            for (const auto& [_, child] : scene_->children()) {
                if (child->part() == "agent") child->kill();
            }
        }
        return {};
    }

    // What stands between the client and the instances, or and dnsd: proxies, and on DNS ways
    // caches.
    void for_each_between(const std::function<void(Child&)>& act) {
        for (const auto& [_, child] : scene_->children()) {
            if (child->part() == "proxy" || child->part() == "cache") act(*child);
        }
    }

    std::optional<double> on_run_clock(const Json& text) const {
        if (!text.is_string()) return std::nullopt;
        const auto time = parse_time(text.get<std::string>());
        if (!time) return std::nullopt;
        return std::chrono::duration<double>(time->time_since_epoch()).count() -
               record_.phases.wall_start;
    }

    Result<> finish() {
        note_events();
        note_cache_cleared();
        Marks& marks = record_.marks;
        if (load_->asks_dns()) {
            const auto last = load_->last_offered(victim());
            const bool gone =
                last && at(*last) < record_.end - 0.5 && at(*last) > record_.phases.fault - 1;
            if (gone) marks.view = std::max(at(*last), *marks.fault);
        }
        std::vector<double> lags;
        for (const Request& request : load_->log()) lags.push_back(request.lag_us / 1e3);
        record_.lag_p99_ms = quantile(lags, 0.99);
        record_.versions = scene_->versions;
        return {};
    }

    // dnsd's own account of when it knew of the victim, kept it, and said so. Where dnsd is gone,
    // or was never told, there is none.
    void note_events() {
        const auto body =
            scene_->api("GET", fmt::format("/v1/events?limit=1000&namespace={}&service={}",
                                           at::zone, asked_service(setting_)));
        const Json json = body ? Json::parse(*body, nullptr, false) : Json();
        if (!json.is_object() || !json.contains("events")) return;
        const std::string id = fmt::format("i-{}", victim() + 1);
        const bool arrives = plan().front().what == "register" || is_born_during_the_run();
        const auto& events = json["events"];
        for (auto event = events.rbegin(); event != events.rend(); ++event) {  // the oldest first
            const auto committed = on_run_clock((*event)["times"]["committed"]);
            if (!committed || *committed < *record_.marks.fault - 0.002) continue;
            for (const Json& instance : (*event)["instances"]) {
                const std::string status = instance.value("status", "");
                const bool meant =
                    arrives ? status == "healthy" : status == "unhealthy" || status == "draining";
                if (instance.value("id", "") != id || !meant) continue;
                const Json& times = (*event)["times"];
                Marks& marks = record_.marks;
                marks.detected = on_run_clock(times["detected"]);
                // A registration is known when it is submitted: there is nothing to detect.
                if (!marks.detected) marks.detected = on_run_clock(times["submitted"]);
                marks.committed = committed;
                marks.published = on_run_clock(times["published"]);
                marks.first_answer = on_run_clock(times["first_answered"]);
                return;
            }
        }
    }

    void note_cache_cleared() {
        const auto& published = record_.marks.published;
        if (!published) return;
        const auto victim_ip = parse_ipv4(at::instance(victim()));
        for (const SeenAnswer& answer : tap_->answers()) {
            if (at(answer.at) < *published - 0.002 || answer.addresses.empty()) continue;
            if (std::ranges::find(answer.addresses, *victim_ip) != answer.addresses.end()) continue;
            record_.marks.cache_cleared = at(answer.at);
            return;
        }
    }

    const Order& order_;
    const Setting& setting_;
    const Way& way_;
    const Fault& fault_;
    Clocks clocks_;
    ProbeLog probes_;
    std::unique_ptr<Scene> scene_;
    std::unique_ptr<Tap> tap_;
    std::unique_ptr<Load> load_;
    SteadyTime zero_{};
    std::optional<double> safe_after_;
    RunRecord record_;
};

}  // namespace

Result<> carry_out_run(const Order& order) {
    const Way* way = find_way(order.setting.way);
    const Fault* fault = find_fault(order.setting.fault);
    if (way == nullptr) return fail(fmt::format("there is no way '{}'", order.setting.way));
    if (fault == nullptr) return fail(fmt::format("there is no fault '{}'", order.setting.fault));
    auto scene = Scene::make(order.setting, order.equipment, order.folder);
    if (!scene) return std::unexpected(scene.error());
    Run run(order, *way, *fault, std::move(*scene));
    const auto done = run.carry_out();
    if (!done) run.record().problem = done.error().message;
    // The log first: where there is a record, there is all.
    if (done) {
        if (auto kept = replace_file(order.folder + "/requests.bin", encode_log(run.log()));
            !kept) {
            return kept;
        }
    }
    return replace_file(order.folder + "/run.json", to_json(run.record()).dump(1));
}

}  // namespace dnsd::lab
