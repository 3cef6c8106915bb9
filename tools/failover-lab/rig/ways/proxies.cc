#include "tools/failover-lab/rig/ways/proxies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/http/client.h"
#include "tools/failover-lab/rig/service.h"

namespace dnsd::lab {
namespace {

// The page that a request through the proxy brings; empty where it brings none.
std::string page_through(int proxy, const std::string& host) {
    http::Request request;
    request.url = fmt::format("http://{}:{}/", at::proxy(proxy), at::proxy_port);
    request.headers = {"Host: " + host};
    request.timeout = Milliseconds(1'000);
    const auto reply = http::fetch(std::move(request));
    return reply && reply->status == 200 ? reply->body : std::string();
}

Result<> wait_for(Scene& scene, int proxy) {
    const Setting& setting = scene.setting();
    const std::string address = at::proxy(proxy);
    auto listens = scene.wait_until(fmt::format("the proxy on {} listens", address),
                                    [&] { return scene.listens(address, at::proxy_port); });
    const bool is_there_yet = asked_service(setting) == at::service;
    if (!listens || !is_there_yet) return listens;

    std::set<std::string> pages;
    const auto all = static_cast<std::size_t>(setting.instances);
    auto serves = scene.wait_until(fmt::format("the proxy on {} leads to all", address), [&] {
        const std::string page = page_through(proxy, asked_name(setting));
        if (!page.empty()) pages.insert(page);
        return pages.size() == all;
    });
    if (serves) return {};
    return in_context(fmt::format("{} of {} instances were reached", pages.size(), all),
                      serves.error());
}

}  // namespace

int proxies_of(const Setting& setting) noexcept {
    return setting.topology == "central" ? 1 : static_cast<int>(setting.clients);
}

ProxyTimes times_of_proxy(const Setting& setting) noexcept {
    // With retries of its own it has the client's whole deadline, without them one try's time.
    if (setting.proxy_retries > 0) {
        const double total =
            std::max(0.9 * setting.deadline_seconds(), setting.deadline_seconds() - 0.1);
        return {std::min(setting.try_seconds(), total), total};
    }
    const double whole = std::min(setting.try_seconds(), setting.deadline_seconds());
    const double total = std::max(0.9 * whole, whole - 0.05);
    return {total, total};
}

bool keeps_connections(const Setting& setting) noexcept { return setting.connections != "new"; }

std::string milliseconds(double seconds) {
    return fmt::format("{}ms", std::max(1L, std::lround(seconds * 1000)));
}

Clocks clocks_through_proxy(Clocks::Checker checker, std::vector<ViewClock> views) {
    Clocks clocks;
    clocks.checker = checker;
    clocks.views = std::move(views);
    clocks.through_proxy = true;
    return clocks;
}

Result<> start_proxies(Scene& scene, const std::function<Result<>(int proxy)>& start_one) {
    const Setting& setting = scene.setting();
    if (setting.balance == "first") {
        return fail("proxies balance \"roundrobin\" or \"random\", not \"first\"");
    }
    const int count = proxies_of(setting);
    for (int proxy = 0; proxy < count; ++proxy) {
        if (auto started = start_one(proxy); !started) return started;
    }
    for (int proxy = 0; proxy < count; ++proxy) {
        if (auto serves = wait_for(scene, proxy); !serves) return serves;
    }
    return {};
}

}  // namespace dnsd::lab
