// A stream that lies, a template and a state file with anything in them, a list that is none.
#include <cstdlib>

#include "base/http/event_stream.h"
#include "tools/agent/news.h"
#include "tools/agent/position.h"
#include "tools/agent/service.h"
#include "tools/agent/template.h"

using namespace dnsd::agent;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view octets(reinterpret_cast<const char*>(data), size);
    dnsd::http::EventStream stream([](const dnsd::http::ServerSentEvent& event) {
        const auto change = parse_change(event.data);
        if (change) {
            for (const auto& [zone, names] : change->stale.names) {
                for (const std::string& name : names) {
                    if (name.find_first_of(" \n\r\t") != name.npos) std::abort();
                }
            }
        }
        parse_snapshot(event.data);
    });
    stream.read(octets);
    const auto position = Position::parse(octets);
    if (position && Position::parse(position->print()) != position) std::abort();
    const auto members = judge_members(octets, octets, {});
    render_template(octets, {"example.org", "web"}, members ? *members : Members());
    return 0;
}
