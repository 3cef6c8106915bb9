#include "dnsd/api/waiters.h"

#include <fmt/format.h>

#include "dnsd/api/codec.h"

namespace dnsd::api {

Waiters::Waiters(io::Loop& loop, registry::Registry& registry)
    : loop_(loop), registry_(registry), timer_(loop, [this] { on_time(); }) {}

void Waiters::add(const Call& call, registry::ServiceKey key, Listing listing,
                  model::Revision after, Milliseconds wait) {
    const std::uint64_t number = ++last_number_;
    std::string filter;
    for (const auto& [name, value] : call.request().query) {
        if (name != "wait" && name != "after") filter += name + '=' + value + '&';
    }
    const SteadyTime deadline = loop_.now() + wait;
    by_service_[key].insert(number);
    by_deadline_.emplace(deadline, number);
    call.exchange->on_gone = [this, number] { remove(number); };
    waiting_.emplace(number, Waiter{call.exchange, std::move(key), std::move(listing),
                                    std::move(filter), after, deadline});
    set_timer();
}

void Waiters::news(const registry::Published& published) {
    std::set<registry::ServiceKey> moved;
    for (const auto& event : published.events) {
        if (!event->service.empty()) moved.insert({event->namespace_name, event->service});
    }
    for (const registry::ServiceKey& key : moved) {
        const auto waiting = by_service_.find(key);
        if (waiting == by_service_.end()) continue;
        const registry::Service* service =
            published.state->find_service(key.namespace_name, key.service);
        std::map<std::string, std::string> bodies;  // by filter: many wait for the same
        for (const std::uint64_t number :
             std::vector(waiting->second.begin(), waiting->second.end())) {
            if (!service || service->index() > waiting_.at(number).after)
                answer(number, *published.state, &bodies);
        }
    }
    set_timer();
}

void Waiters::answer_all() {
    const auto state = registry_.state().load();
    while (!waiting_.empty()) answer(waiting_.begin()->first, *state, nullptr);
}

void Waiters::on_time() {
    const auto state = registry_.state().load();
    while (!by_deadline_.empty() && by_deadline_.begin()->first <= loop_.now())
        answer(by_deadline_.begin()->second, *state, nullptr);
    set_timer();
}

void Waiters::set_timer() {
    if (by_deadline_.empty()) {
        timer_.stop();
        return;
    }
    const auto left = by_deadline_.begin()->first - loop_.now();
    timer_.start(std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(left)));
}

void Waiters::answer(std::uint64_t number, const registry::State& state,
                     std::map<std::string, std::string>* bodies) {
    const Waiter& waiter = waiting_.at(number);
    const auto exchange = waiter.exchange;
    const registry::Service* service =
        state.find_service(waiter.key.namespace_name, waiter.key.service);
    Reply reply;
    if (!service) {
        reply = reply_of({404, fmt::format("there is no service {} in {} any more",
                                           waiter.key.service, waiter.key.namespace_name)});
    } else {
        std::string uncached;
        std::string& body = bodies ? (*bodies)[waiter.filter] : uncached;
        if (body.empty()) body = print_instances(*service, waiter.listing, false);
        reply.body = body;
        reply.headers.emplace_back("ETag", fmt::format("\"{}\"", service->revision));
    }
    remove(number);
    exchange->on_gone = nullptr;
    exchange->reply(std::move(reply));
}

void Waiters::remove(std::uint64_t number) {
    const auto found = waiting_.find(number);
    if (found == waiting_.end()) return;
    const auto of_service = by_service_.find(found->second.key);
    of_service->second.erase(number);
    if (of_service->second.empty()) by_service_.erase(of_service);
    by_deadline_.erase({found->second.deadline, number});
    waiting_.erase(found);
}

}  // namespace dnsd::api
