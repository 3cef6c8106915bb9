#include "tools/failover-lab/rig/http_reply.h"

namespace dnsd::lab {

HttpReply::HttpReply() {
    http_parser_init(&parser_, HTTP_RESPONSE);
    parser_.data = this;
}

const http_parser_settings& HttpReply::settings() {
    static const http_parser_settings table = [] {
        http_parser_settings made;
        http_parser_settings_init(&made);
        made.on_body = [](http_parser* parser, const char* at, std::size_t octets) {
            static_cast<HttpReply*>(parser->data)->body_.append(at, octets);
            return 0;
        };
        made.on_message_complete = [](http_parser* parser) {
            auto& reply = *static_cast<HttpReply*>(parser->data);
            reply.whole_ = true;
            reply.status_ = static_cast<int>(parser->status_code);
            reply.keeps_alive_ = http_should_keep_alive(parser) != 0;
            return 0;
        };
        return made;
    }();
    return table;
}

bool HttpReply::read(std::string_view octets) {
    return http_parser_execute(&parser_, &settings(), octets.data(), octets.size()) ==
           octets.size();
}

void HttpReply::end_of_stream() { http_parser_execute(&parser_, &settings(), nullptr, 0); }

void HttpReply::next() {
    body_.clear();
    whole_ = false;
}

}  // namespace dnsd::lab
