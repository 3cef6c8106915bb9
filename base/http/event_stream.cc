#include "base/http/event_stream.h"

namespace dnsd::http {

bool EventStream::read(std::string_view octets) {
    for (const char c : octets) {
        const bool is_pair = c == '\n' && after_cr_;  // CR LF is one end of line
        after_cr_ = c == '\r';
        if (is_pair) continue;
        if (c == '\r' || c == '\n') {
            read_line(line_);
            line_.clear();
        } else if (line_.size() + event_.data.size() < octets_max) {
            line_ += c;
        } else {
            return false;
        }
    }
    return true;
}

void EventStream::read_line(std::string_view line) {
    if (line.empty()) {
        if (has_data_) {
            event_.data.pop_back();  // the last line feed
            on_event_(event_);
        }
        event_.type = "message";
        event_.data.clear();
        has_data_ = false;
        return;
    }
    const auto colon = line.find(':');
    const std::string_view field = line.substr(0, colon);
    std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (field == "event") {
        event_.type = value;
    } else if (field == "data") {
        event_.data += value;
        event_.data += '\n';
        has_data_ = true;
    } else if (field == "id" && value.find('\0') == value.npos) {
        event_.id = value;
    }
}

}  // namespace dnsd::http
