// The error window of a run: detection + publication + cache residual + connection residual,
// computed from the clocks on its path and their phases. Pure: it never sees what was measured.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/failover-lab/model/clocks.h"
#include "tools/failover-lab/model/run_record.h"
#include "tools/failover-lab/model/setting.h"

namespace dnsd::lab {

// How long caches really keep what they are given, as measured (or, by default, as promised).
class EffectiveTtls {
  public:
    struct Sample {
        std::string cache;
        double ttl = 0;
        double phase = 0;  // of the fetch within the wall clock's second, 0..1
        double age = 0;    // of the answer when it was handed out last, seconds
    };
    EffectiveTtls() = default;  // as promised: TTL; 30 s for "jvm"; 0 for stubs that keep nothing
    explicit EffectiveTtls(std::vector<Sample> samples);

    // Seconds that an answer fetched at that phase is kept: on the line between the samples on both
    // sides of it; where that TTL was not measured, by the nearest TTL's excess; where the cache
    // was not, as promised.
    double lifetime(const std::string& cache, double ttl, double phase) const;
    // Does the TTL matter to it at all?
    static bool honours_ttl(std::string_view cache) noexcept;

  private:
    std::vector<Sample> samples_;
};

// What dnsd itself takes; measured means may be put in.
struct Delays {
    double publication = 0.004;  // from the probe's verdict to the answers
    double push = 0.003;
};

struct Prediction {
    // On the run's clock; nothing: never. Of several victims the last.
    std::optional<double> detected, published, view;
    double window = 0;  // from the fault to the last bad request's intended time; 0: none
    double bad_seconds = 0, error_seconds = 0;
    // The parts of the window, which they add up to: for the decomposition.
    double detection = 0, publication = 0, cache_residual = 0, connection_residual = 0;
    bool open_ended = false;  // bad until the fault itself ended, or the run did
};

// REQUIRES: phases.plan is in the order of time. `end`: of the load. Caches count in whole seconds
// of the wall clock, which phases.wall_start ties to the run's.
Prediction predict(const Setting& setting, const Clocks& clocks, const Phases& phases,
                   const EffectiveTtls& ttls, const Delays& delays, double end);

// The same over `count` evenly spread phases of all clocks: what `failover-lab model` prints, and
// what cells that were not measured are filled with.
struct Expectation {
    double window_mean = 0, window_max = 0;
    double bad_seconds_mean = 0, bad_seconds_max = 0;
    double error_seconds_mean = 0;
    double detection = 0, publication = 0, cache_residual = 0, connection_residual = 0;  // means
    bool open_ended = false;
};
Expectation expect(const Setting& setting, const Clocks& clocks, const EffectiveTtls& ttls,
                   const Delays& delays, int count = 1000);

}  // namespace dnsd::lab
