#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace dnsd::log {

namespace {

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::Debug:
            return spdlog::level::debug;
        case Level::Info:
            return spdlog::level::info;
        case Level::Warn:
            return spdlog::level::warn;
        case Level::Error:
            return spdlog::level::err;
        case Level::Off:
            return spdlog::level::off;
    }
    return spdlog::level::info;
}

spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = spdlog::stderr_color_mt("dnsd");
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
        made->set_level(spdlog::level::warn);
        made->flush_on(spdlog::level::trace);
        return made;
    }();
    return *instance;
}

bool& writes_json() {
    static bool json = false;
    return json;
}

std::string escaped(std::string_view value) {
    std::string out;
    out.reserve(value.size() + 2);
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

void set_up(Level level, Format format) {
    writes_json() = format == Format::Json;
    logger().set_pattern(format == Format::Json
                             ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":"%v"})"
                             : "%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    set_level(level);
}

void set_level(Level level) { logger().set_level(spdlog_level(level)); }

bool enabled(Level level) noexcept { return logger().should_log(spdlog_level(level)); }

void write(Level level, std::string_view line) {
    const std::string text = writes_json() ? escaped(line) : std::string(line);
    logger().log(spdlog_level(level), spdlog::string_view_t(text.data(), text.size()));
}

std::string quoted(std::string_view value) {
    const bool plain =
        !value.empty() && value.find_first_of(" \"\\=\t\r\n") == std::string_view::npos &&
        value.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@*+%,;()[]") ==
            std::string_view::npos;
    return plain ? std::string(value) : '"' + escaped(value) + '"';
}

}  // namespace dnsd::log
