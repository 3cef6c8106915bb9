#include "tools/agent/template.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"

namespace dnsd::agent {

namespace {

constexpr std::string_view open_tag = "{{", close_tag = "}}";
constexpr std::string_view each = "#instances", none = "^instances", end = "/instances";

std::optional<std::string> value_of(std::string_view key, const ServiceKey& service,
                                    const Member* member) {
    if (key == "namespace") return service.namespace_name;
    if (key == "service") return service.name;
    if (member == nullptr) return std::nullopt;
    if (key == "id") return member->id;
    if (key == "address") return member->address;
    if (key == "port") return std::to_string(member->port);
    if (key == "weight") return std::to_string(member->weight);
    if (key == "endpoint") return member->endpoint();
    return std::nullopt;
}

// A tag of the text, and what to skip with it.
struct Tag {
    std::string_view key;
    std::size_t begin, end;  // of the tag; of its line, if it is a section's and alone there
};

Result<std::optional<Tag>> find_tag(std::string_view text, std::size_t from) {
    const std::size_t begin = text.find(open_tag, from);
    if (begin == text.npos) return std::nullopt;
    const std::size_t close = text.find(close_tag, begin);
    if (close == text.npos) return fail("a '{{' has no '}}'");
    Tag tag{trimmed(text.substr(begin + 2, close - begin - 2)), begin, close + 2};
    if (tag.key != each && tag.key != none && tag.key != end) return tag;
    std::size_t line_begin = begin, line_end = tag.end;
    while (line_begin > 0 && (text[line_begin - 1] == ' ' || text[line_begin - 1] == '\t'))
        --line_begin;
    while (line_end < text.size() && (text[line_end] == ' ' || text[line_end] == '\t')) ++line_end;
    const bool alone = (line_begin == 0 || text[line_begin - 1] == '\n') &&
                       (line_end == text.size() || text[line_end] == '\n');
    if (alone && line_begin >= from) {
        tag.begin = line_begin;
        tag.end = std::min(line_end + 1, text.size());
    }
    return tag;
}

// Text without sections; `member` is null outside of them.
Result<> render_flat(std::string_view text, const ServiceKey& service, const Member* member,
                     std::string& out) {
    std::size_t at = 0;
    while (true) {
        const auto tag = find_tag(text, at);
        if (!tag) return std::unexpected(tag.error());
        if (!*tag) {
            out += text.substr(at);
            return {};
        }
        out += text.substr(at, (*tag)->begin - at);
        const auto value = value_of((*tag)->key, service, member);
        if (!value) return fail(fmt::format("{{{{{}}}}} means nothing here", (*tag)->key));
        out += *value;
        at = (*tag)->end;
    }
}

Result<> render_section(bool for_each, std::string_view body, const ServiceKey& service,
                        const Members& members, std::string& out) {
    if (!for_each)
        return members.used.empty() ? render_flat(body, service, nullptr, out) : Result<>();
    for (const Member& member : members.used) {
        if (auto done = render_flat(body, service, &member, out); !done) return done;
    }
    return {};
}

constexpr std::string_view nginx_servers = R"({{#instances}}
    server {{endpoint}} weight={{weight}};
{{/instances}}
{{^instances}}
    server 127.0.0.1:9 down;
{{/instances}}
)";

}  // namespace

Result<std::string> render_template(std::string_view text, const ServiceKey& service,
                                    const Members& members) {
    std::string out;
    std::size_t at = 0;
    while (true) {
        // The next section, if any; what is before it is flat.
        std::size_t from = at;
        std::optional<Tag> section;
        while (!section) {
            const auto tag = find_tag(text, from);
            if (!tag) return std::unexpected(tag.error());
            if (!*tag) break;
            if ((*tag)->key == each || (*tag)->key == none) section = **tag;
            if ((*tag)->key == end) return fail("{{/instances}} ends nothing");
            from = (*tag)->end;
        }
        const std::size_t until = section ? section->begin : text.size();
        if (auto done = render_flat(text.substr(at, until - at), service, nullptr, out); !done)
            return std::unexpected(done.error());
        if (!section) return out;

        std::optional<Tag> last;
        from = section->end;
        while (!last) {
            const auto tag = find_tag(text, from);
            if (!tag) return std::unexpected(tag.error());
            if (!*tag) return fail(fmt::format("{{{{{}}}}} has no end", section->key));
            if ((*tag)->key == each || (*tag)->key == none)
                return fail("a section begins inside another");
            if ((*tag)->key == end) last = **tag;
            from = (*tag)->end;
        }
        const std::string_view body = text.substr(section->end, last->begin - section->end);
        if (auto done = render_section(section->key == each, body, service, members, out); !done)
            return std::unexpected(done.error());
        at = last->end;
    }
}

std::string render_json(const ServiceKey& service, const Members& members) {
    nlohmann::ordered_json json{{"namespace", service.namespace_name}, {"service", service.name}};
    json["instances"] = nlohmann::ordered_json::array();
    for (const Member& member : members.used)
        json["instances"].push_back({{"id", member.id},
                                     {"address", member.address},
                                     {"port", member.port},
                                     {"weight", member.weight}});
    return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::string render_nginx(const ServiceKey& service, const Members& members) {
    std::string name = service.namespace_name + '_' + service.name;
    for (char& c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!plain) c = '_';
    }
    // An upstream without a server is an error of nginx's; one that is down brings a 502.
    return fmt::format("upstream {} {{\n{}}}\n", name,
                       *render_template(nginx_servers, service, members));
}

}  // namespace dnsd::agent
