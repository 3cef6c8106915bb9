// Any octets as a signed request, and any text as a file of keys: what is believed is a message
// without its TSIG RR, what is not is as it was, and a failure can always be told.
#include <algorithm>
#include <vector>

#include "base/assert.h"
#include "zone/wire/message.h"
#include "zone/wire/tsig.h"

using namespace dnsd;

namespace {

constexpr WallTime now{std::chrono::seconds(1'700'000'000)};

void request(std::span<const std::uint8_t> octets) {
    static const wire::TsigKey key{
        *wire::Name::parse("tsig-key"), wire::TsigAlgorithm::HmacSha256, {1, 2, 3, 4}};
    static const wire::Keyring keys({key});
    std::vector<std::uint8_t> message(octets.begin(), octets.end());
    const bool has_one = wire::has_tsig(message);
    auto session = wire::TsigSession::verify_request(message, keys, now);
    DNSD_ASSERT(has_one || !session);
    if (session) {
        DNSD_ASSERT(message.size() < octets.size());
        DNSD_ASSERT(!wire::has_tsig(message));
    } else {
        DNSD_ASSERT(std::ranges::equal(message, octets));
        std::vector<std::uint8_t> reply(wire::header_octets);
        wire::add_failure(reply, session.error());
        DNSD_ASSERT(reply.size() <= wire::header_octets + wire::octets_of(session.error()));
        DNSD_ASSERT(wire::decode_message(reply).has_value());
    }

    // The same octets as an answer to a client of ours, and signed, where they are a message.
    std::vector<std::uint8_t> query = wire::encode_query(1, {}, 1232);
    auto client = wire::TsigSession::sign_request(query, key, now);
    auto server = wire::TsigSession::verify_request(query, keys, now);
    DNSD_ASSERT(server.has_value());
    std::vector<std::uint8_t> reply(octets.begin(), octets.end());
    if (has_one) DNSD_ASSERT(!client.verify_reply(reply, now));
    const auto decoded = wire::decode_message(octets);
    if (!decoded || has_one || octets[10] == 0xff) return;
    reply.assign(octets.begin(), octets.end());
    server->sign_reply(reply, now);
    DNSD_ASSERT(client.verify_reply(reply, now).has_value());
    DNSD_ASSERT(std::ranges::equal(reply, octets));
}

void keys_of(std::string_view text) {
    const auto keys = wire::parse_tsig_keys(text);
    if (!keys) {
        DNSD_ASSERT(keys.error().message.starts_with("line "));
        return;
    }
    for (const wire::TsigKey& key : *keys) DNSD_ASSERT(!key.secret.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    request({data, size});
    keys_of({reinterpret_cast<const char*>(data), size});
    return 0;
}
