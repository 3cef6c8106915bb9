#include "tools/failover-lab/model/model.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace dnsd::lab;
using doctest::Approx;

namespace {

constexpr double limit = 1e-6;

Setting setting_of(const std::string& fault) {
    Setting setting;
    setting.fault = fault;
    return setting;
}

Clocks direct() { return {}; }
Clocks cached(const std::string& cache = "cache") {
    Clocks clocks;
    clocks.views.emplace_back();
    clocks.views.back().kind = ViewClock::Kind::Ttl;
    clocks.views.back().cache = cache;
    return clocks;
}
Clocks polled(double period, double spread = 0) {
    Clocks clocks;
    clocks.views.emplace_back();
    clocks.views.back().kind = ViewClock::Kind::Poll;
    clocks.views.back().period = period;
    clocks.views.back().spread = spread;
    return clocks;
}
Clocks pushed(double delay = 0.003) {
    Clocks clocks;
    clocks.views.emplace_back();
    clocks.views.back().period = delay;
    return clocks;
}
Clocks proxy(Clocks clocks) {
    clocks.through_proxy = true;
    return clocks;
}
Clocks own_checks() {
    Clocks clocks;
    clocks.checker = Clocks::Checker::Own;
    return proxy(clocks);
}
Clocks passive(int failures, double seconds) {
    Clocks clocks;
    clocks.checker = Clocks::Checker::Nobody;
    clocks.ejects_after = failures;
    clocks.ejected_for = seconds;
    return proxy(clocks);
}

// A run whose fault comes 10 s after its beginning.
Phases phases_of(const Setting& setting, double probe, std::vector<double> fetches = {}) {
    Phases phases;
    phases.fault = 10;
    phases.plan = find_fault(setting.fault)->plan(setting);
    for (Action& action : phases.plan) action.at += phases.fault;
    phases.probe = phases.fault + probe;
    for (const double fetch : fetches) phases.fetches.push_back(phases.fault + fetch);
    return phases;
}

Prediction predict_of(const Setting& setting, const Clocks& clocks, const Phases& phases,
                      double after = 20) {
    return predict(setting, clocks, phases, EffectiveTtls(), Delays(), phases.fault + after);
}

void check_sum(const Prediction& one) {
    CHECK(one.detection + one.publication + one.cache_residual + one.connection_residual ==
          Approx(one.window).epsilon(limit));
}

}  // namespace

TEST_CASE("checks of 1 s, twice, and 0.05 s of publication: the windows that the formula gives") {
    struct Row {
        int ttl;
        double mean, max;
    };
    for (const Row& row : {Row{0, 1.55, 2.05}, Row{1, 2.05, 3.05}, Row{5, 4.05, 7.05},
                           Row{10, 6.55, 12.05}, Row{30, 16.55, 32.05}}) {
        Setting setting = setting_of("kill");
        setting.ttl = row.ttl;
        setting.rate = 1000;
        const Expectation expected = expect(setting, cached(), {}, {.publication = 0.05}, 2000);
        CAPTURE(row.ttl);
        CHECK(std::abs(expected.window_mean - row.mean) < 0.02 + 0.003 * row.mean);
        CHECK(expected.window_max <= row.max + 0.005);
        CHECK(expected.window_max > row.max - 0.05 - 0.01 * row.max);
        CHECK(expected.bad_seconds_mean == Approx(row.mean / 3).epsilon(0.02));
        CHECK(expected.error_seconds_mean == Approx(expected.bad_seconds_mean));
        CHECK(expected.detection == Approx(1.5).epsilon(0.01));
        CHECK(!expected.open_ended);
    }
}

TEST_CASE("one run: the ticks after the fault, the publication, and the rest of the TTL") {
    const Setting setting = setting_of("kill");
    // Ticks at 10.3 and 11.3; the cache fetched at 9.6, so again at 10.6, and what came then has
    // not yet lapsed for the request due at 11.6, but for the next.
    const Prediction one = predict_of(setting, cached(), phases_of(setting, -0.7, {-0.4}));
    CHECK(*one.detected == Approx(11.3).epsilon(limit));
    CHECK(*one.published == Approx(11.304).epsilon(limit));
    CHECK(*one.view == Approx(11.61).epsilon(limit));
    // The last of the requests at 11.58, 11.59 and 11.6 that meets it, on average.
    CHECK(one.window == Approx(1.59).epsilon(limit));
    CHECK(one.bad_seconds == Approx(1.61 / 3).epsilon(limit));
    CHECK(one.detection == Approx(1.3).epsilon(limit));
    CHECK(one.publication == Approx(0.004).epsilon(limit));
    CHECK(one.cache_residual == Approx(0.286).epsilon(limit));
    CHECK(one.connection_residual == 0);
    check_sum(one);
}

TEST_CASE("a hang takes a probe's timeout longer to see, and own checks wait it out each time") {
    const Setting setting = setting_of("stop");
    const Phases phases = phases_of(setting, -0.7);
    CHECK(*predict_of(setting, direct(), phases).detected == Approx(12.2).epsilon(limit));
    CHECK(*predict_of(setting, own_checks(), phases).detected ==
          Approx(10.3 + 0.9 + 1 + 0.9).epsilon(limit));
    // A hung process takes connections: a TCP check is content with that.
    Setting tcp = setting;
    tcp.check = "tcp";
    const Prediction unseen = predict_of(tcp, direct(), phases);
    CHECK(!unseen.detected);
    CHECK(unseen.open_ended);
    CHECK(unseen.window == Approx(20).epsilon(0.01));
    tcp.fault = "drop";
    CHECK(*predict_of(tcp, direct(), phases_of(tcp, -0.7)).detected == Approx(12.2).epsilon(limit));
}

TEST_CASE("a retry makes refusals good, and a hang late") {
    Setting setting = setting_of("kill");
    setting.client_retries = 1;
    CHECK(predict_of(setting, cached(), phases_of(setting, -0.7, {-0.4})).bad_seconds == 0);
    setting.fault = "stop";
    const Prediction late = predict_of(setting, cached(), phases_of(setting, -0.7, {-0.4}));
    CHECK(late.error_seconds == 0);
    CHECK(late.bad_seconds == Approx(2.62 / 3).epsilon(limit));
    // Behind a proxy it is the proxy's retries that count.
    CHECK(predict_of(setting, proxy(cached()), phases_of(setting, -0.7, {-0.4})).error_seconds >
          0.5);
}

TEST_CASE("a client cannot retry an answer of 503, a proxy does") {
    Setting setting = setting_of("gray");
    setting.client_retries = 2;
    const Prediction one = predict_of(setting, direct(), phases_of(setting, -0.7));
    CHECK(one.error_seconds == Approx(5.0 / 3).epsilon(limit));
    CHECK(one.open_ended);
    CHECK(!one.detected);
    check_sum(one);
    setting.proxy_retries = 2;
    CHECK(predict_of(setting, proxy(pushed()), phases_of(setting, -0.7)).error_seconds == 0);
}

TEST_CASE("slow answers are bad and not failed; sickness harms nobody") {
    const Setting slow = setting_of("slow");
    const Prediction one = predict_of(slow, direct(), phases_of(slow, -0.7));
    CHECK(one.bad_seconds == Approx(5.0 / 3).epsilon(limit));
    CHECK(one.error_seconds == 0);
    CHECK(!one.detected);
    const Setting sick = setting_of("sick");
    const Prediction other = predict_of(sick, direct(), phases_of(sick, -0.7));
    CHECK(other.bad_seconds == 0);
    CHECK(other.window == 0);
    CHECK(*other.detected == Approx(11.3).epsilon(limit));
}

TEST_CASE("half of the instances: the window is that of the last one to be seen") {
    Setting setting = setting_of("half");
    setting.instances = 4;
    Phases phases = phases_of(setting, -0.7);
    phases.victims = {0, 1};
    phases.probes = {9.3, 9.9};  // ticks at 11.3 and 11.9
    const Prediction one = predict_of(setting, direct(), phases);
    CHECK(*one.detected == Approx(11.9).epsilon(limit));
    // Half of the requests, then a third.
    CHECK(one.bad_seconds == Approx(1.31 / 2 + 0.6 / 3).epsilon(limit));
    check_sum(one);
}

TEST_CASE("deregistered and stopped at once: the publication and the TTL alone are left") {
    const Setting setting = setting_of("deregister");
    const Prediction one = predict_of(setting, cached(), phases_of(setting, -0.7, {-0.4}));
    CHECK(*one.published == Approx(10.004).epsilon(limit));
    CHECK(*one.view == Approx(10.6).epsilon(limit));
    CHECK(one.detection == 0);
    check_sum(one);
    const Setting drained = setting_of("deregister_drained");
    CHECK(predict_of(drained, cached(), phases_of(drained, -0.7, {-0.4})).bad_seconds == 0);
}

TEST_CASE("a flap is seen each time that it lasts longer than detection") {
    Setting setting = setting_of("flap");
    setting.fault_length = 15;  // down for 3 s, up for 3 s
    const Prediction one = predict_of(setting, direct(), phases_of(setting, -0.7));
    // Ticks at .3: seen 1.3 s after each end, at 10, 16 and 22.
    CHECK(one.bad_seconds == Approx(3 * 1.31 / 3).epsilon(limit));
    CHECK(one.window == Approx(13.29).epsilon(0.001));
    check_sum(one);
    setting.fault_length = 5;  // down for 1 s: two ticks never meet it
    const Prediction brief = predict_of(setting, direct(), phases_of(setting, -0.7));
    CHECK(!brief.detected);
    CHECK(brief.bad_seconds == Approx(1.0).epsilon(limit));
    CHECK(brief.open_ended);
}

TEST_CASE("an instance that is added is answered after its first probe, and nothing is bad") {
    const Setting setting = setting_of("add");
    const Prediction one = predict_of(setting, cached(), phases_of(setting, -0.7, {-0.4}));
    CHECK(one.bad_seconds == 0);
    CHECK(*one.detected == Approx(10).epsilon(limit));
    CHECK(*one.view == Approx(10.6).epsilon(limit));
}

TEST_CASE("a service that is born is not found until the negative answer has lapsed") {
    const Setting setting = setting_of("born");
    const Prediction one = predict_of(setting, cached(), phases_of(setting, -0.7, {-0.4}));
    // Asked for at 10, registered at 11.3; the denial has lapsed for the request after the one
    // at 12.
    CHECK(*one.view == Approx(12.01).epsilon(limit));
    CHECK(one.window == Approx(2).epsilon(limit));
    CHECK(one.error_seconds == Approx(2.01).epsilon(limit));
    CHECK(one.detection == Approx(1.3).epsilon(limit));
    CHECK(one.cache_residual == Approx(0.696).epsilon(limit));
    CHECK(!one.open_ended);
    check_sum(one);
    // Who has a list of its own never asked.
    CHECK(predict_of(setting, own_checks(), phases_of(setting, -0.7)).error_seconds == 0);
}

TEST_CASE("without dnsd: caches last their TTL, pollers and pushed views go on") {
    const Setting setting = setting_of("dnsd_down");
    const Phases phases = phases_of(setting, -0.7, {-0.4});
    CHECK(predict_of(setting, direct(), phases).error_seconds == Approx(5).epsilon(limit));
    const Prediction cache = predict_of(setting, cached(), phases);
    CHECK(cache.error_seconds == Approx(4.4).epsilon(limit));
    CHECK(cache.window == Approx(4.99).epsilon(limit));
    CHECK(cache.open_ended);
    check_sum(cache);
    CHECK(predict_of(setting, polled(1), phases).error_seconds == 0);
    CHECK(predict_of(setting, pushed(), phases).error_seconds == 0);
    CHECK(predict_of(setting, own_checks(), phases).error_seconds == 0);
    // A stock cache that the agent empties is still a cache.
    Clocks emptied = pushed();
    emptied.views[0].cache = "cache";
    CHECK(predict_of(setting, emptied, phases).error_seconds == Approx(4.4).epsilon(limit));
}

TEST_CASE("whoever believes an empty store has nobody, a secondary keeps the zone that it has") {
    const Setting setting = setting_of("store_lost");
    const Phases phases = phases_of(setting, -0.7);
    Clocks clocks = pushed();
    CHECK(predict_of(setting, clocks, phases).error_seconds > 4.5);
    clocks.views[0].outlives_the_zone = true;
    CHECK(predict_of(setting, clocks, phases).error_seconds == 0);
}

TEST_CASE("an instance that dies without dnsd is met until dnsd is back, but not by own checks") {
    const Setting setting = setting_of("blind");
    const Phases phases = phases_of(setting, -0.2);
    const Prediction one = predict_of(setting, pushed(), phases);
    // dnsd is back at 15, probes at once, and again at its next tick, half an interval later.
    CHECK(*one.detected == Approx(15.5).epsilon(limit));
    CHECK(predict_of(setting, own_checks(), phases).bad_seconds == Approx(1.3 / 3).epsilon(limit));
}

TEST_CASE("without the agent a cache lapses by its TTL, and what only it tells is told no more") {
    Setting setting = setting_of("agent_down");
    setting.ttl = 5;
    const Phases phases = phases_of(setting, -0.7, {-0.4});  // dead at 10.5, seen at 12.3
    Clocks clocks = pushed();
    clocks.views[0].by_agent = true;
    CHECK(predict_of(setting, clocks, phases).open_ended);
    clocks.views[0].cache = "cache";
    CHECK(*predict_of(setting, clocks, phases).view == Approx(14.6).epsilon(limit));
    clocks.views[0].by_agent = false;
    CHECK(*predict_of(setting, clocks, phases).view == Approx(12.31).epsilon(limit));
}

TEST_CASE("a proxy that is down loses everything until it is up") {
    const Setting setting = setting_of("proxy_down");
    const Prediction one = predict_of(setting, proxy(pushed()), phases_of(setting, -0.7));
    CHECK(one.error_seconds == Approx(5).epsilon(limit));
    CHECK(one.open_ended);
    check_sum(one);
}

TEST_CASE("the cache on the node is down: those who keep nothing lose everything, caches lapse") {
    const Setting setting = setting_of("proxy_down");
    const Phases phases = phases_of(setting, -0.7, {-0.4, -0.4});
    CHECK(predict_of(setting, direct(), phases).error_seconds == 0);
    CHECK(predict_of(setting, cached("unbound"), phases).error_seconds == Approx(5).epsilon(limit));
    Clocks both = cached("unbound");
    both.views.push_back(cached().views[0]);
    CHECK(predict_of(setting, both, phases).error_seconds == Approx(4.4).epsilon(limit));
    CHECK(predict_of(setting, pushed(), phases).error_seconds == Approx(5).epsilon(limit));
}

TEST_CASE("passive detection: so many failures of each chooser, then again after the ejection") {
    Setting setting = setting_of("kill");
    const Prediction one = predict_of(setting, passive(5, 30), phases_of(setting, -0.7));
    CHECK(one.error_seconds == Approx(0.05).epsilon(limit));
    CHECK(one.window == Approx(0.13).epsilon(limit));
    CHECK(!one.open_ended);
    check_sum(one);
    CHECK(predict_of(setting, passive(1, 2), phases_of(setting, -0.7), 7).error_seconds ==
          Approx(0.04).epsilon(limit));
    setting.clients = 4;
    CHECK(predict_of(setting, passive(5, 30), phases_of(setting, -0.7)).error_seconds ==
          Approx(0.2).epsilon(limit));
    setting.topology = "central";
    CHECK(predict_of(setting, passive(5, 30), phases_of(setting, -0.7)).error_seconds ==
          Approx(0.05).epsilon(limit));
    // What hangs is noticed when the try ends: a second's more requests.
    setting.fault = "stop";
    CHECK(predict_of(setting, passive(1, 30), phases_of(setting, -0.7)).error_seconds ==
          Approx(0.01 + 1.0 / 3).epsilon(0.02));
}

TEST_CASE(
    "kept connections: those to a hung instance each cost a request, also after the view changed") {
    Setting setting = setting_of("stop");
    setting.connections = "keepalive";
    setting.pool = 60;
    const Prediction one = predict_of(setting, direct(), phases_of(setting, -0.7));
    // Twenty of them, then a third of those that take their place, and so on, each after a second.
    CHECK(one.error_seconds == Approx(0.30).epsilon(0.1));
    CHECK(one.connection_residual == 0);
    check_sum(one);
    // Seen after 2.2 s; each of these is used every 3 s, and later for those that were replaced.
    setting.pool = 300;
    const Prediction large = predict_of(setting, direct(), phases_of(setting, -0.7));
    CHECK(large.connection_residual > 0.2);
    CHECK(large.connection_residual < 2);
    check_sum(large);
    // Refused connections break at once, and new ones soon lead to the others.
    setting.fault = "kill";
    setting.pool = 60;
    const Prediction refused = predict_of(setting, direct(), phases_of(setting, -0.7));
    CHECK(refused.bad_seconds == Approx(0.1).epsilon(0.1));
    CHECK(!refused.open_ended);
    // A deregistered instance still serves those who are connected.
    setting.fault = "deregister_drained";
    setting.connections = "maxage";
    CHECK(predict_of(setting, direct(), phases_of(setting, -0.7)).bad_seconds == 0);
}

TEST_CASE("reconfirmed by the first who meets it dead") {
    Setting setting = setting_of("kill");
    setting.reconfirm = true;
    const Phases phases = phases_of(setting, -0.7);
    CHECK(*predict_of(setting, direct(), phases).detected == Approx(10.015).epsilon(limit));
    // A second until the client knows; the tick at 10.3 fails at 11.2, and the next probe at once.
    setting.fault = "stop";
    CHECK(*predict_of(setting, direct(), phases_of(setting, -0.7)).detected ==
          Approx(12.1).epsilon(0.001));
}

TEST_CASE("a poller is 0.78 of its period late where it waits up to twice as long") {
    Setting setting = setting_of("kill");
    setting.rate = 1000;
    const Expectation expected = expect(setting, polled(5, 5), {}, {}, 2000);
    CHECK(expected.cache_residual == Approx(5 * 0.778).epsilon(0.02));
    CHECK(expect(setting, polled(5), {}, {}, 2000).cache_residual == Approx(2.5).epsilon(0.02));
}

TEST_CASE("a cache behind a cache gets what is left of the TTL") {
    Setting setting = setting_of("kill");
    setting.ttl = 10;
    Clocks clocks = cached("unbound");
    clocks.views.push_back(cached().views[0]);
    const Expectation both = expect(setting, clocks, {}, {}, 500);
    CHECK(both.window_max < 2.02 + 10);
    CHECK(both.cache_residual == Approx(5).epsilon(0.05));
    // One that keeps what it has for a time of its own adds it.
    clocks.views[1].cache = "jvm";
    CHECK(expect(setting, clocks, {}, {}, 300).window_max > 31);
}
