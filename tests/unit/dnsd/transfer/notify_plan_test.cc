#include "dnsd/transfer/notify_plan.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/dnsd/transfer/still_registry.h"

using namespace dnsd;
using namespace dnsd::transfer;
using namespace dnsd::transfer::test;
using namespace std::chrono_literals;
using dnsd::test::name;

namespace {

const model::Peer one{*SocketAddress::parse("192.0.2.1:53")};
const model::Peer two{*SocketAddress::parse("192.0.2.2:53"), "xfr.example.org"};

struct Planned {
    std::uint16_t last_id = 0;
    NotifyPlan plan{[this] { return ++last_id; }};
    SteadyTime now{};

    void change(std::uint32_t serial, Milliseconds delay = 0ms,
                std::vector<model::Peer> peers = {one}, std::string_view zone = "example.org") {
        plan.changed(name(zone), soa_of(serial), peers, delay, now);
    }
    // What is sent now.
    std::vector<Notice> send() { return plan.due(now).to_send; }
    std::vector<Notice> send_at(Milliseconds at) {
        now = SteadyTime(at);
        return send();
    }
    void answer(const Notice& notice) {
        REQUIRE(plan.find(notice.peer.address, notice.id));
        plan.answered(notice.peer.address, notice.id, now);
    }
};

bool tells(const Notice& notice, std::uint32_t serial) { return *notice.soa == *soa_of(serial); }

}  // namespace

TEST_CASE("a change is told at once, to each peer once") {
    Planned planned;
    planned.change(1, 0ms, {one, two, one});
    const auto sent = planned.send();
    REQUIRE(sent.size() == 2);
    CHECK(std::ranges::count(sent, one, &Notice::peer) == 1);
    CHECK(std::ranges::count(sent, two, &Notice::peer) == 1);
    CHECK(sent[0].id != sent[1].id);
    CHECK(planned.send().empty());
    for (const Notice& notice : sent) planned.answer(notice);
    CHECK(planned.plan.size() == 0);
    CHECK_FALSE(planned.plan.next());
}

TEST_CASE("changes within the delay are told together, with the latest serial") {
    Planned planned;
    planned.change(1, 1s);
    CHECK(planned.send().empty());
    CHECK(*planned.plan.next() == SteadyTime(1s));
    planned.now = SteadyTime(900ms);
    planned.change(2, 1s);
    CHECK(planned.send().empty());
    const auto sent = planned.send_at(1s);
    REQUIRE(sent.size() == 1);
    CHECK(tells(sent[0], 2));
}

TEST_CASE("RFC 1996 §3.6: a notice is tried again with growing waits, and then given up") {
    Planned planned;
    planned.change(1);
    std::vector<Milliseconds> at;
    std::uint16_t id = 0;
    for (;;) {
        const auto due = planned.plan.due(planned.now);
        if (!due.given_up.empty()) {
            CHECK(due.given_up[0].tries == NotifyPlan::waits.size());
            break;
        }
        REQUIRE(due.to_send.size() == 1);
        if (id != 0) CHECK(due.to_send[0].id == id);
        id = due.to_send[0].id;
        at.push_back(std::chrono::duration_cast<Milliseconds>(planned.now.time_since_epoch()));
        planned.now = *planned.plan.next();
    }
    CHECK(at == std::vector<Milliseconds>{0ms, 1s, 3s, 7s, 15s});
    CHECK(planned.now == SteadyTime(30s));
    CHECK(planned.plan.size() == 0);
    CHECK_FALSE(planned.plan.find(one.address, id));  // a late reply is nobody's

    planned.change(2);  // the next change begins anew
    CHECK(planned.send().size() == 1);
}

TEST_CASE("a newer serial takes the place of one that is under way") {
    Planned planned;
    planned.change(1);
    const Notice first = planned.send().at(0);
    planned.now = SteadyTime(10ms);
    planned.change(2);
    planned.change(3);
    CHECK(planned.send().empty());

    SUBCASE("as soon as that is answered") {
        planned.answer(first);
        const auto sent = planned.send();
        REQUIRE(sent.size() == 1);
        CHECK(tells(sent[0], 3));
        CHECK(sent[0].tries == 1);
        planned.answer(sent[0]);
        CHECK(planned.plan.size() == 0);
    }
    SUBCASE("without an answer a little later, and all tries are there again") {
        CHECK(planned.send_at(99ms).empty());
        const auto sent = planned.send_at(100ms);
        REQUIRE(sent.size() == 1);
        CHECK(tells(sent[0], 3));
        CHECK(sent[0].id != first.id);
        CHECK(sent[0].tries == 1);
        CHECK_FALSE(planned.plan.find(one.address, first.id));
    }
    SUBCASE("not before the delay is over") {
        planned.change(4, 500ms);  // the delay of the first that waits counts
        planned.answer(first);
        CHECK(planned.send().size() == 1);

        planned.change(5, 500ms);
        planned.answer(*planned.plan.find(one.address, planned.last_id));
        CHECK(planned.send().empty());
        CHECK(planned.send_at(509ms).empty());
        CHECK(planned.send_at(510ms).size() == 1);
    }
}

TEST_CASE("peers that are no longer named, and zones that are gone, are not told") {
    Planned planned;
    planned.change(1, 0ms, {one, two});
    planned.change(1, 0ms, {one}, "example.net");
    const auto sent = planned.send();
    REQUIRE(sent.size() == 3);
    planned.change(2, 0ms, {two});
    CHECK(planned.plan.size() == 2);
    planned.plan.forget(name("example.org"));
    CHECK(planned.plan.size() == 1);
    const auto again = planned.send_at(1s);
    REQUIRE(again.size() == 1);
    CHECK(again[0].zone == name("example.net"));
}

TEST_CASE("a peer never has two messages of one id under way") {
    std::vector<std::uint16_t> ids = {7, 7, 7, 8, 7};
    std::size_t drawn = 0;
    NotifyPlan plan([&] { return ids.at(drawn++); });
    plan.changed(name("example.org"), soa_of(1), {one, two}, 0ms, SteadyTime{});
    plan.changed(name("example.net"), soa_of(1), {one}, 0ms, SteadyTime{});
    const auto due = plan.due(SteadyTime{});
    REQUIRE(due.to_send.size() == 3);
    for (const Notice& notice : due.to_send) CHECK(plan.find(notice.peer.address, notice.id));
}
