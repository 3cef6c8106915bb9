#include "dnsd/api/xds_holds.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "base/assert.h"

namespace dnsd::api {

namespace {

// Envoy gives a request up after the request_timeout of the bootstrap, 30 s.
constexpr Milliseconds hold_max(20'000);
// Nodes that began together, as after a restart of ours, must not all ask again together: holds
// end in the last quarter of that time, one step after the other.
constexpr Milliseconds hold_step(80);
constexpr std::uint64_t hold_steps = 64;
// REST has no word for "I refuse": a node that does asks again with the version it had before,
// every 0.2 to 0.4 s. So often it gets the same answer.
constexpr Milliseconds refused_again_after(1'000);
// So long a repeated request counts as a refusal; more answers than this are not remembered.
constexpr Milliseconds answered_known_for(5'000);
constexpr std::size_t answered_max = 100'000;

std::uint64_t hash_of(const Exchange& exchange, const DiscoveryRequest& request) {
    const std::string text = fmt::format("{}\n{}:{}\n{}", print(exchange.request.client.ip),
                                         request.node.size(), request.node, rendering_key(request));
    return XXH3_64bits(text.data(), text.size());
}

// Causes that change which services there are, or their protocols.
bool moves_lists(const model::Event& event) {
    return event.service.empty() || event.cause == "service_put" ||
           event.cause == "service_deleted";
}

}  // namespace

XdsHolds::XdsHolds(io::Loop& loop, const Snapshot<registry::State>& state, const Clock& clock)
    : loop_(loop), state_(state), clock_(clock), timer_(loop, [this] { on_time(); }) {
    const auto latest = state_.load();
    latest->namespaces.for_each([&](const std::string& name, const auto& within) {
        within->services.for_each([&](const std::string& service, const auto&) {
            note_offer(cluster_name(name, service), *latest);
        });
    });
}

void XdsHolds::add(const Call& call, DiscoveryRequest request) {
    Renderings renderings = this->renderings();
    Hold hold{call.exchange, std::move(request), "", {}};
    const XdsAnswer& ours = rendering(hold.request, renderings);
    const auto answered = find_answered(hash_of(*hold.exchange, hold.request));
    if (answered && answered->version == ours.version && answered->asked == hold.request.version) {
        refused_.add();
        hold.refused = ours.version;
        hold.deadline = answered->when + refused_again_after;
        if (hold.deadline <= loop_.now()) return answer(hold, ours);
    } else if (is_news(hold, ours, *renderings.state)) {
        return answer(hold, ours);
    } else {
        hold.deadline = loop_.now() + hold_max - (last_number_ % hold_steps) * hold_step;
    }
    if (closed_) return let_go(hold);
    keep(std::move(hold));
    set_timer();
}

// A state without a revision is that of a store into which nobody has written yet, new or lost. It
// says nothing about what a node has from another.
bool XdsHolds::is_news(const Hold& hold, const XdsAnswer& answer, const registry::State& state) {
    return answer.version != hold.request.version && answer.version != hold.refused &&
           (state.revision > 0 || hold.request.version.empty());
}

void XdsHolds::news(const registry::Published& published) {
    // Not the state of the news but the latest, which may have been answered from already.
    Renderings renderings = this->renderings();
    bool routes_move = false, clusters_move = false, all_move = false;
    std::set<std::string> moved;
    for (const auto& event : published.events) {
        routes_move = routes_move || moves_lists(*event);
        all_move = all_move || event->service.empty();
        if (!event->service.empty())
            moved.insert(cluster_name(event->namespace_name, event->service));
    }
    clusters_move = routes_move;
    for (const std::string& cluster : moved) {
        clusters_move = note_offer(cluster, *renderings.state) || clusters_move;
        if (all_move) continue;
        if (const auto waiting = by_cluster_.find(cluster); waiting != by_cluster_.end())
            reconsider(waiting->second, renderings);
    }
    if (all_move) {
        std::set<std::uint64_t> all;
        for (const auto& [cluster, numbers] : by_cluster_)
            all.insert(numbers.begin(), numbers.end());
        reconsider(all, renderings);
    }
    reconsider(by_type_[XdsType::Endpoints], renderings);
    if (clusters_move) reconsider(by_type_[XdsType::Clusters], renderings);
    if (routes_move) reconsider(by_type_[XdsType::Routes], renderings);
    set_timer();
}

// By value: answering changes the sets that the numbers come from.
void XdsHolds::reconsider(const std::set<std::uint64_t>& numbers, Renderings& renderings) {
    for (const std::uint64_t number : std::vector(numbers.begin(), numbers.end())) {
        const Hold& hold = held_.at(number);
        const XdsAnswer& ours = rendering(hold.request, renderings);
        if (is_news(hold, ours, *renderings.state)) answer(release(number), ours);
    }
}

// Whether the cluster is offered now and was not before, or the other way round.
bool XdsHolds::note_offer(const std::string& cluster, const registry::State& state) {
    const registry::Service* service = find_cluster(state, cluster);
    if (service && !is_offered(*service, clock_.wall())) return withheld_.insert(cluster).second;
    return withheld_.erase(cluster) > 0;
}

void XdsHolds::release_all() {
    while (!held_.empty()) let_go(release(held_.begin()->first));
    set_timer();
}

void XdsHolds::close() {
    closed_ = true;
    release_all();
}

const XdsAnswer& XdsHolds::rendering(const DiscoveryRequest& request, Renderings& renderings) {
    const auto [at, is_new] = renderings.by_key.try_emplace(rendering_key(request));
    if (is_new) {
        at->second = render(request, *renderings.state, clock_.wall());
        without_port_.add(at->second.without_port);
    }
    return at->second;
}

void XdsHolds::answer(const Hold& hold, const XdsAnswer& answer) {
    sent_.add();
    remember(hash_of(*hold.exchange, hold.request),
             {hold.request.version, answer.version, loop_.now()});
    hold.exchange->reply({200, answer.body});
}

void XdsHolds::let_go(const Hold& hold) {
    unchanged_.add();
    hold.exchange->reply({304, "", "", {}});
}

void XdsHolds::keep(Hold hold) {
    const std::uint64_t number = ++last_number_;
    // An Envoy describes itself in 77 kB each time, and holds a request per cluster: assigning an
    // empty string would keep the octets.
    std::string().swap(hold.exchange->request.body);
    hold.exchange->on_gone = [this, number] { take(number); };  // the client has left
    by_deadline_.emplace(hold.deadline, number);
    if (hold.request.type != XdsType::Endpoints || hold.request.names.empty()) {
        by_type_[hold.request.type].insert(number);
    } else {
        for (const std::string& cluster : hold.request.names) by_cluster_[cluster].insert(number);
    }
    held_.emplace(number, std::move(hold));
}

// To be answered: from now on the client may leave unnoticed.
XdsHolds::Hold XdsHolds::release(std::uint64_t number) {
    Hold hold = take(number);
    hold.exchange->on_gone = nullptr;
    return hold;
}

XdsHolds::Hold XdsHolds::take(std::uint64_t number) {
    const auto found = held_.find(number);
    DNSD_ASSERT(found != held_.end());
    Hold hold = std::move(found->second);
    held_.erase(found);
    by_deadline_.erase({hold.deadline, number});
    by_type_[hold.request.type].erase(number);
    for (const std::string& cluster : hold.request.names) {
        const auto waiting = by_cluster_.find(cluster);
        if (waiting == by_cluster_.end()) continue;
        waiting->second.erase(number);
        if (waiting->second.empty()) by_cluster_.erase(waiting);
    }
    return hold;
}

void XdsHolds::on_time() {
    Renderings renderings = this->renderings();
    while (!by_deadline_.empty() && by_deadline_.begin()->first <= loop_.now()) {
        Hold hold = release(by_deadline_.begin()->second);
        hold.refused.clear();  // it has waited long enough for the same again
        const XdsAnswer& ours = rendering(hold.request, renderings);
        if (is_news(hold, ours, *renderings.state)) {
            answer(hold, ours);
        } else {
            let_go(hold);
        }
    }
    set_timer();
}

void XdsHolds::set_timer() {
    if (by_deadline_.empty()) {
        timer_.stop();
        return;
    }
    const auto left = by_deadline_.begin()->first - loop_.now();
    timer_.start(std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(left)));
}

std::optional<XdsHolds::Answered> XdsHolds::find_answered(std::uint64_t who) const {
    const auto found = answered_.find(who);
    if (found == answered_.end() || found->second.when + answered_known_for <= loop_.now())
        return std::nullopt;
    return found->second;
}

void XdsHolds::remember(std::uint64_t who, Answered answered) {
    while (!answers_.empty() && (answers_.front().first + answered_known_for <= loop_.now() ||
                                 answers_.size() >= answered_max)) {
        // One that was answered again since is also further back.
        const auto found = answered_.find(answers_.front().second);
        if (found != answered_.end() && found->second.when == answers_.front().first)
            answered_.erase(found);
        answers_.pop_front();
    }
    answers_.emplace_back(answered.when, who);
    answered_.insert_or_assign(who, std::move(answered));
}

std::vector<Metric> XdsHolds::metrics() const {
    const auto one = [](const char* name, const char* help, Metric::Kind kind, auto value) {
        return Metric{name, help, kind, {{{}, static_cast<double>(value), {}}}, {}};
    };
    using enum Metric::Kind;
    return {one("dnsd_xds_held", "xDS requests that wait for a change", Gauge, held_.size()),
            one("dnsd_xds_answers_total", "xDS answers with resources", Counter, sent_.value()),
            one("dnsd_xds_unchanged_total", "xDS requests that ended without a change", Counter,
                unchanged_.value()),
            one("dnsd_xds_refused_total",
                "xDS answers that a node did not take: it asked again as before", Counter,
                refused_.value()),
            one("dnsd_xds_endpoints_without_port_total",
                "Instances left out of rendered xDS endpoints for want of a port", Counter,
                without_port_.value())};
}

}  // namespace dnsd::api
