#include <algorithm>
#include <vector>

#include "base/text.h"
#include "zone/model/types.h"

namespace dnsd::model {

namespace {

constexpr std::uint16_t dns_port = 53;

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words = split(text, ' ');
    std::erase_if(words, [](std::string_view word) { return word.empty(); });
    return words;
}

// What follows the address, from `at` on: nothing, or "key NAME".
Result<std::string> parse_key(const std::vector<std::string_view>& words, std::size_t at) {
    if (words.size() == at) return std::string();
    if (words.size() != at + 2 || words[at] != "key")
        return fail("what follows the address must be: key NAME");
    std::string name(words[at + 1]);
    std::ranges::transform(name, name.begin(), [](char c) { return to_lower(c); });
    if (name.size() > 1 && name.ends_with('.')) name.pop_back();
    return name;
}

}  // namespace

Result<Peer> parse_peer(std::string_view text) {
    const auto words = words_of(text);
    if (words.empty()) return fail("must be an address, such as 192.0.2.1:53");
    Peer peer;
    if (const auto address = SocketAddress::parse(words[0])) {
        peer.address = *address;
    } else if (const auto ip = parse_ip(words[0])) {
        peer.address = {*ip, dns_port};
    } else {
        return fail(
            "must begin with an address, such as 192.0.2.1, 192.0.2.1:53 or [2001:db8::1]:53");
    }
    if (peer.address.port == 0) return fail("the port must not be 0");
    auto key = parse_key(words, 1);
    if (!key) return std::unexpected(key.error());
    peer.key = std::move(*key);
    return peer;
}

Result<Admission> parse_admission(std::string_view text) {
    const auto words = words_of(text);
    if (words.empty())
        return fail("must be a block of addresses, such as 192.0.2.0/24, or: key NAME");
    Admission admission;
    std::size_t at = 0;
    if (words[0] != "key") {
        admission.network = Network::parse(words[at++]);
        if (!admission.network)
            return fail(
                "must begin with a block of addresses, such as 192.0.2.0/24, or with: key NAME");
    }
    auto key = parse_key(words, at);
    if (!key) return std::unexpected(key.error());
    admission.key = std::move(*key);
    return admission;
}

std::string print(const Peer& peer) {
    return peer.address.print() + (peer.key.empty() ? "" : " key " + peer.key);
}

std::string print(const Admission& admission) {
    std::string text;
    if (admission.network)
        text = dnsd::print(admission.network->address) + "/" +
               std::to_string(admission.network->prefix_bits);
    if (admission.key.empty()) return text;
    return text + (text.empty() ? "key " : " key ") + admission.key;
}

}  // namespace dnsd::model
