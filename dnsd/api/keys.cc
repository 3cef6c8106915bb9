// Keys that are shared with other name servers (TSIG). A secret is told once, by the reply to the
// request that had it drawn.
#include <fmt/format.h>
#include <gnutls/crypto.h>

#include "base/assert.h"
#include "dnsd/api/codec.h"
#include "dnsd/api/handlers.h"
#include "dnsd/api/listing.h"
#include "dnsd/api/replies.h"
#include "zone/wire/presentation.h"

namespace dnsd::api {

using registry::Applied;
using registry::Change;

namespace {

Result<wire::Name, Problem> key_name(const Call& call) {
    const auto name = wire::Name::parse(call.names[0]);
    if (!name) return std::unexpected(Problem{422, "the key's name: " + name.error().message});
    return name->lower_cased();
}

std::string print(const registry::Key& key, const std::string& more = "") {
    return fmt::format(R"({{"name":{},"algorithm":"{}"{},"revision":{}}})",
                       quoted_json(key.tsig.name.print()), wire::print(key.tsig.algorithm), more,
                       key.revision);
}

// As long as the digest is, which RFC 2104 §3 recommends.
std::vector<std::uint8_t> drawn_secret(wire::TsigAlgorithm algorithm) {
    const std::size_t octets = algorithm == wire::TsigAlgorithm::HmacSha256   ? 32
                               : algorithm == wire::TsigAlgorithm::HmacSha384 ? 48
                                                                              : 64;
    std::vector<std::uint8_t> secret(octets);
    const int status = gnutls_rnd(GNUTLS_RND_KEY, secret.data(), secret.size());
    DNSD_ASSERT(status == 0);
    return secret;
}

}  // namespace

void Handlers::list_keys(const Call& call) {
    const auto listing = Listing::read(call);
    if (!listing) return call.refuse(listing.error());
    const registry::State& state = state_.latest();
    Page page("keys", *listing);
    state.keys.for_each_after(listing->after, [&](const std::string& name, const auto& key) {
        return page.add(name, print(*key));
    });
    call.reply({200, page.print(fmt::format(R"("revision":{})", state.revision))});
}

void Handlers::show_key(const Call& call) {
    const auto name = key_name(call);
    if (!name) return call.refuse(name.error());
    const auto* key = state_.latest().keys.find(name->print());
    if (!key) return call.refuse({404, fmt::format("there is no key {}", name->print())});
    call.reply(with_etag(print(**key), (*key)->revision));
}

void Handlers::put_key(const Call& call) {
    const auto name = key_name(call);
    if (!name) return call.refuse(name.error());
    auto key = decode_key(call.request().body, *name);
    if (!key) return call.refuse(key.error());
    std::string shown;
    if (key->secret.empty()) {
        key->secret = drawn_secret(key->algorithm);
        shown = fmt::format(R"(,"secret":"{}")", wire::print_base64(key->secret));
    }
    submit(call, Change{.what = registry::PutKey{std::move(*key)}, .if_match = {}},
           [name = name->print(), shown](const Applied& applied) {
               const auto* there = applied.state->keys.find(name);
               if (!there) return gone_again();
               Reply reply = with_etag(print(**there, shown), applied.revision, applied.created);
               reply.headers.emplace_back("Cache-Control", "no-store");
               return reply;
           });
}

void Handlers::delete_key(const Call& call) {
    const auto name = key_name(call);
    if (!name) return call.refuse(name.error());
    submit(call, Change{.what = registry::DeleteKey{name->print()}, .if_match = {}}, deleted);
}

}  // namespace dnsd::api
