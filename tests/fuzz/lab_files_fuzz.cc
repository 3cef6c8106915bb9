// The files that the failover lab reads back, or is given: logs of requests, records of runs,
// suites. The first octet says which; what is refused is refused with a sentence, what is taken
// prints and reads back.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tools/failover-lab/model/request_log.h"
#include "tools/failover-lab/model/run_record.h"
#include "tools/failover-lab/suite.h"

namespace {

using namespace dnsd::lab;

void expect(bool truth) {
    if (!truth) std::abort();
}

void read_log(std::string_view octets) {
    const auto requests = decode_log(octets);
    if (!requests) return expect(!requests.error().message.empty());
    expect(encode_log(*requests) == octets);
}

void read_record(std::string_view text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded()) return;
    const auto record = run_record_from_json(json);
    if (!record) return expect(!record.error().message.empty());
    const auto again = run_record_from_json(to_json(*record));
    expect(again.has_value() && to_json(*again) == to_json(*record));
}

void read_own_suite(std::string_view text) {
    const auto suite = read_suite(text, "own.toml");
    if (!suite) return expect(suite.error().message.starts_with("own.toml"));
    for (const Cell& cell : suite->cells) expect(cell.runs > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0]) {
        case 'l':
            read_log(rest);
            break;
        case 'r':
            read_record(rest);
            break;
        case 's':
            read_own_suite(rest);
            break;
        default:
            break;
    }
    return 0;
}
