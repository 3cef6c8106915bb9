#include "base/clock.h"

#include <fmt/format.h>

#include <cstdio>

namespace dnsd {

namespace {

class MachineClock final : public Clock {
  public:
    SteadyTime steady() const noexcept override { return std::chrono::steady_clock::now(); }
    WallTime wall() const noexcept override {
        return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
    }
};

}  // namespace

const Clock& machine_clock() noexcept {
    static const MachineClock clock;
    return clock;
}

std::string print_time(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss of_day{time - day};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       of_day.hours().count(), of_day.minutes().count(), of_day.seconds().count(),
                       of_day.subseconds().count());
}

std::optional<WallTime> parse_time(std::string_view text) {
    int year = 0;
    unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0, milliseconds = 0;
    int end = 0;
    const std::string copy(text);
    const int fields = std::sscanf(copy.c_str(), "%4d-%2u-%2uT%2u:%2u:%2u.%3uZ%n", &year, &month,
                                   &day, &hour, &minute, &second, &milliseconds, &end);
    if (fields != 7 || static_cast<std::size_t>(end) != copy.size() || copy.size() != 24) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                           std::chrono::day(day)};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    return WallTime(std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
                    std::chrono::minutes(minute) + std::chrono::seconds(second) +
                    Milliseconds(milliseconds));
}

}  // namespace dnsd
