// Pages of a list: `limit`, `page_token` (the last id of the page before), filters.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "dnsd/api/routes.h"
#include "zone/registry/state.h"

namespace dnsd::api {

struct Listing {
    std::size_t limit = 1'000;
    std::string after;  // exclusive; "": from the start
    std::optional<std::string> status;
    std::vector<std::pair<std::string, std::string>> attributes;

    static constexpr std::size_t limit_max = 10'000;
    static Result<Listing, Problem> read(const Call& call);
    bool shows(const model::Instance& instance) const;
};

// {"revision", ..., "instances": [...]}; says when it is cut, and with which token it goes on.
// `reset`: the client waited for a revision that this store has not reached.
std::string print_instances(const registry::Service& service, const Listing& listing, bool reset);

// The same for what has names: items that `print` gives, under `what`.
class Page {
  public:
    Page(std::string_view what, const Listing& listing) : what_(what), listing_(listing) {}
    // False: the page is full, `key` is not on it.
    bool add(const std::string& key, const std::string& item);
    std::string print(std::string head) const;

  private:
    std::string what_;
    const Listing& listing_;
    std::string items_, last_;
    std::size_t count_ = 0;
    bool cut_ = false;
};

}  // namespace dnsd::api
