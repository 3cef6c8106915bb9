// The log: one line per event, key=value (or JSON), to stderr. Never on a query's path.
// The sentence starts with the event's name: log::info("instance registered service={} id={}",
// ...). spdlog does the work, behind log.cc: its headers cost ten seconds a file under the
// sanitizers.
#pragma once

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace dnsd::log {

enum class Level { Debug, Info, Warn, Error, Off };
enum class Format { Text, Json };

// Any thread may log; set_up is called once, before other threads start. The level may change
// later.
void set_up(Level level, Format format);
void set_level(Level level);
bool enabled(Level level) noexcept;
void write(Level level, std::string_view line);

template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    at(Level::Debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    at(Level::Info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    at(Level::Warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    at(Level::Error, format, std::forward<Args>(args)...);
}

// A value as key=value wants it: quoted, and escaped, if it holds anything but plain characters.
// Text from outside goes through this, so that nobody can write a line of the log for us.
std::string quoted(std::string_view value);

}  // namespace dnsd::log
