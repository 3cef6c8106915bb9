// What caches may still hold of a service: the marks that workers leave on its RRsets, and what
// follows from them for a drain (BEHAVIOUR §5).
#pragma once

#include <map>
#include <optional>

#include "zone/registry/compile.h"
#include "zone/registry/service_key.h"

namespace dnsd::registry {

// Belongs to one thread; the marks themselves are moved by the workers. A service's marks live as
// long as it does, across all its publications.
class HandedOut {
  public:
    // When the last copies of a service's addresses and of its SRV records run out; the epoch where
    // nobody was handed any.
    struct Lapses {
        WallTime address{}, srv{};
    };

    explicit HandedOut(bool tracks_answers) : tracks_answers_(tracks_answers) {}

    const Marks& marks_of(const ServiceKey& key);
    void forget(const ServiceKey& key) { marks_.erase(key); }
    // Answers were given before that nobody here counted: copies may live until then.
    void assume(const ServiceKey& key, const Lapses& lapses);
    Lapses lapses(const ServiceKey& key) const;

    // When nobody holds an instance any more that left the answers at `published`: the latest of
    // (last A or AAAA answer + its TTL) and (last SRV answer + its TTL + the TTL of the instance's
    // own name), plus one second. Where answers are not tracked, those TTLs count from `published`.
    WallTime safe_after(const ServiceKey& key, const TtlsInForce& ttls, WallTime published) const;
    // Never less than safe_after() will say of a publication to come at `published`.
    WallTime surely_safe_after(const ServiceKey& key, const TtlsInForce& ttls,
                               WallTime published) const;

    // The first answer since expect_answer(), of any of the service's RRsets, if there was one.
    std::optional<WallTime> first_answer(const ServiceKey& key) const;
    void expect_answer(const ServiceKey& key);

  private:
    const Marks* find(const ServiceKey& key) const;

    bool tracks_answers_;
    std::map<ServiceKey, Marks> marks_;
};

}  // namespace dnsd::registry
