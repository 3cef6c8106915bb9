#include "tools/failover-lab/model/request_log.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace dnsd::lab {
namespace {

constexpr std::string_view magic = "dnsdlab1";
constexpr std::size_t record_octets = 16;

constexpr std::array<std::string_view, 7> outcome_names{
    "ok", "refused", "reset", "timeout", "http_error", "no_address", "no_answer"};

void put(std::string& octets, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8)
        octets.push_back(static_cast<char>((value >> shift) & 0xff));
}

std::uint32_t u32_at(std::string_view octets, std::size_t offset) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;)
        value = value << 8 | static_cast<std::uint8_t>(octets[offset + i]);
    return value;
}

Result<Request> decode_record(std::string_view octets) {
    const auto u8_at = [&](std::size_t offset) {
        return static_cast<std::uint8_t>(octets[offset]);
    };
    if (u8_at(12) >= outcome_names.size())
        return fail(fmt::format("there is no outcome {}", u8_at(12)));
    return Request{
        u32_at(octets, 0), u32_at(octets, 4), u32_at(octets, 8), static_cast<Outcome>(u8_at(12)),
        u8_at(13),         u8_at(14),         u8_at(15)};
}

}  // namespace

std::string_view name_of(Outcome outcome) noexcept {
    return outcome_names[static_cast<std::size_t>(outcome)];
}

std::string encode_log(const std::vector<Request>& requests) {
    std::string octets(magic);
    octets.reserve(magic.size() + requests.size() * record_octets);
    for (const Request& request : requests) {
        put(octets, request.intended_us);
        put(octets, request.latency_us);
        put(octets, request.lag_us);
        octets.push_back(static_cast<char>(request.outcome));
        octets.push_back(static_cast<char>(request.instance));
        octets.push_back(static_cast<char>(request.tries));
        octets.push_back(static_cast<char>(request.client));
    }
    return octets;
}

Result<std::vector<Request>> decode_log(std::string_view octets) {
    if (!octets.starts_with(magic)) return fail("it does not begin with dnsdlab1");
    octets.remove_prefix(magic.size());
    if (octets.size() % record_octets != 0)
        return fail(fmt::format("it ends within record {}", octets.size() / record_octets));
    std::vector<Request> requests;
    requests.reserve(octets.size() / record_octets);
    for (; !octets.empty(); octets.remove_prefix(record_octets)) {
        const auto request = decode_record(octets);
        if (!request) return in_context(fmt::format("record {}", requests.size()), request.error());
        requests.push_back(*request);
    }
    return requests;
}

std::string print_csv(const std::vector<Request>& requests) {
    std::string text = "intended_us,latency_us,lag_us,outcome,instance,tries,client\n";
    for (const Request& request : requests) {
        const std::string instance =
            request.instance == Request::none ? "" : fmt::format("{}", request.instance);
        fmt::format_to(std::back_inserter(text), "{},{},{},{},{},{},{}\n", request.intended_us,
                       request.latency_us, request.lag_us, name_of(request.outcome), instance,
                       request.tries, request.client);
    }
    return text;
}

}  // namespace dnsd::lab
