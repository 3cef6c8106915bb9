// Server-sent events (WHATWG HTML §9.2), read as they come.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace dnsd::http {

struct ServerSentEvent {
    std::string type = "message";
    std::string id;  // the last that was sent, by this event or one before
    std::string data;
};

// A value without threads. Feed it the body's octets in any pieces.
class EventStream {
  public:
    explicit EventStream(std::function<void(const ServerSentEvent&)> on_event)
        : on_event_(std::move(on_event)) {}

    // False: an event is longer than `octets_max`; nothing more is read.
    bool read(std::string_view octets);

    static constexpr std::size_t octets_max = 256 * 1024 * 1024;

  private:
    void read_line(std::string_view line);

    std::function<void(const ServerSentEvent&)> on_event_;
    std::string line_;  // what has come of it
    bool after_cr_ = false;
    ServerSentEvent event_;
    bool has_data_ = false;
};

}  // namespace dnsd::http
