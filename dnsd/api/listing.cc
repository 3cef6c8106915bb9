#include "dnsd/api/listing.h"

#include <fmt/format.h>

#include "base/text.h"
#include "dnsd/api/codec.h"
#include "zone/registry/draft.h"

namespace dnsd::api {

Result<Listing, Problem> Listing::read(const Call& call) {
    Listing listing;
    if (const auto limit = call.query("limit")) {
        const auto number = parse_unsigned(*limit);
        if (!number || *number == 0 || *number > limit_max)
            return std::unexpected(Problem{400, fmt::format("limit must be 1 to {}", limit_max)});
        listing.limit = static_cast<std::size_t>(*number);
    }
    listing.after = call.query("page_token").value_or("");
    listing.status = call.query("status");
    if (listing.status && *listing.status != "draining" &&
        !model::parse_health_status(*listing.status))
        return std::unexpected(
            Problem{400, "status must be one of healthy, unhealthy, unknown and draining"});
    constexpr std::string_view prefix = "attributes.";
    for (const auto& [name, value] : call.request().query) {
        if (name.starts_with(prefix))
            listing.attributes.emplace_back(name.substr(prefix.size()), value);
    }
    return listing;
}

bool Listing::shows(const model::Instance& instance) const {
    if (status && registry::shown_status(instance) != *status) return false;
    for (const auto& [key, value] : attributes) {
        const auto found = instance.spec.attributes.find(key);
        if (found == instance.spec.attributes.end() || found->second != value) return false;
    }
    return true;
}

bool Page::add(const std::string& key, const std::string& item) {
    if (count_ == listing_.limit) {
        cut_ = true;
        return false;
    }
    if (count_++ > 0) items_ += ',';
    items_ += item;
    last_ = key;
    return true;
}

std::string Page::print(std::string head) const {
    if (!head.empty()) head += ',';
    std::string tail = fmt::format(R"("truncated":{})", cut_);
    if (cut_) tail += fmt::format(R"(,"next_page_token":{})", quoted_json(last_));
    return fmt::format(R"({{{}"{}":[{}],{}}})", head, what_, items_, tail);
}

std::string print_instances(const registry::Service& service, const Listing& listing, bool reset) {
    Page page("instances", listing);
    for (const auto& instance : service.instances) {
        if (instance->spec.id <= listing.after && !listing.after.empty()) continue;
        if (listing.shows(*instance) && !page.add(instance->spec.id, print(*instance))) break;
    }
    return page.print(fmt::format(R"("revision":{},"health_revision":{},"index":{}{})",
                                  service.revision, service.health_revision, service.index(),
                                  reset ? R"(,"reset":true)" : ""));
}

}  // namespace dnsd::api
