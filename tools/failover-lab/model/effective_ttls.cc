#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "tools/failover-lab/model/model.h"

namespace dnsd::lab {
namespace {

// Caches that keep answers for a time of their own, whatever the TTL.
struct Promise {
    std::string_view cache;
    double seconds;
};
constexpr std::array promises{Promise{"jvm", 30}, Promise{"glibc", 0}, Promise{"cares", 0},
                              Promise{"node", 0}};

const Promise* find_promise(std::string_view cache) noexcept {
    const auto found = std::ranges::find(promises, cache, &Promise::cache);
    return found == promises.end() ? nullptr : &*found;
}

struct Point {
    double phase, age;
    int count = 1;
};

// Samples of about the same phase become one point: their mean. They come in the order of phases.
std::vector<Point> merged(std::vector<Point> points) {
    constexpr double same_phase = 0.02;  // what a measurement is good to
    std::ranges::sort(points, {}, &Point::phase);
    std::vector<Point> merged;
    for (const Point& point : points) {
        if (merged.empty() || point.phase - merged.back().phase > same_phase) {
            merged.push_back(point);
            continue;
        }
        Point& last = merged.back();
        last.phase += (point.phase - last.phase) / (last.count + 1);
        last.age += (point.age - last.age) / (last.count + 1);
        ++last.count;
    }
    return merged;
}

// On the line through the points before and behind the phase. A cache that counts whole seconds
// loses as much age as the phase gains, and jumps where the second begins: so the line goes on to
// both ends of the second, and a jump between two points belongs to neither of them.
double age_at(const std::vector<Point>& points, double phase) {
    if (points.size() == 1) return points.front().age;
    const auto behind = std::ranges::lower_bound(points, phase, {}, &Point::phase);
    const auto index = std::clamp<std::ptrdiff_t>(behind - points.begin(), 1,
                                                  static_cast<std::ptrdiff_t>(points.size()) - 1);
    const Point& a = points[static_cast<std::size_t>(index - 1)];
    const Point& b = points[static_cast<std::size_t>(index)];
    const bool jumps = std::abs(b.age - a.age) > 0.5;
    if (jumps) return phase - a.phase < b.phase - phase ? a.age : b.age;
    const double slope = std::clamp((b.age - a.age) / (b.phase - a.phase), -1.0, 1.0);
    return a.age + slope * (phase - a.phase);
}

// The age at which an answer was handed out last is up to a question, 10 ms, short of its end:
// where that is about the beginning of a second, a cache that counts seconds means the beginning. A
// prediction that asks again just before it would be a whole second off.
double to_whole_second(double lifetime, double phase) {
    constexpr double between_questions = 0.012;
    const double end = phase + lifetime;
    const double short_of = std::ceil(end) - end;
    return lifetime > 0 && short_of < between_questions ? lifetime + short_of : lifetime;
}

}  // namespace

bool EffectiveTtls::honours_ttl(std::string_view cache) noexcept { return !find_promise(cache); }

EffectiveTtls::EffectiveTtls(std::vector<Sample> samples) : samples_(std::move(samples)) {}

double EffectiveTtls::lifetime(const std::string& cache, double ttl, double phase) const {
    // The measured TTL that is nearest; to one that may be cached at all, no nearer than one that
    // may.
    std::optional<double> nearest;
    const auto distance = [&](double other) {
        return std::abs(other - ttl) + ((other > 0) != (ttl > 0) ? 1e9 : 0);
    };
    for (const Sample& sample : samples_) {
        if (sample.cache != cache) continue;
        if (!nearest || distance(sample.ttl) < distance(*nearest)) nearest = sample.ttl;
    }
    const Promise* promise = find_promise(cache);
    if (!nearest && promise == nullptr && cache == "nginx" && ttl > 0) {
        // A proxy is no server that could be asked for its cache; it goes by whole seconds of the
        // wall clock, and the last of them counts.
        return ttl + 1 - phase;
    }
    if (!nearest) return promise ? promise->seconds : ttl;

    std::vector<Point> points;
    for (const Sample& sample : samples_) {
        if (sample.cache == cache && sample.ttl == *nearest)
            points.push_back({sample.phase, sample.age});
    }
    const double age = age_at(merged(std::move(points)), phase);
    return to_whole_second(std::max(0.0, promise ? age : ttl + age - *nearest), phase);
}

}  // namespace dnsd::lab
