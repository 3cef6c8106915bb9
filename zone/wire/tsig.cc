#include "zone/wire/tsig.h"

#include <fmt/format.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "zone/wire/message.h"
#include "zone/wire/presentation.h"
#include "zone/wire/reader.h"

namespace dnsd::wire {

namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint16_t fudge_seconds = 300;  // RFC 8945 §10 recommends it
constexpr std::size_t mac_octets_least = 10;  // §5.2.2.1, and half of what the hash gives
constexpr std::size_t unsigned_max = 99;      // §5.3.1
constexpr std::size_t additional_count_at = 10;
constexpr std::size_t fixed_octets = 10;     // of any RR: type, class, TTL, RDATA's length
constexpr std::size_t rdata_octets = 16;     // without algorithm name, MAC and other data
constexpr std::size_t other_octets_max = 6;  // the time, for BADTIME
constexpr std::size_t secret_octets_max = 4096;

struct Algorithm {
    TsigAlgorithm algorithm;
    std::string_view text;
    std::string_view name;  // in octets
    gnutls_mac_algorithm_t mac;
    std::size_t octets;
};
constexpr std::array algorithms = {
    Algorithm{
        TsigAlgorithm::HmacSha256, "hmac-sha256", {"\13hmac-sha256\0", 13}, GNUTLS_MAC_SHA256, 32},
    Algorithm{
        TsigAlgorithm::HmacSha384, "hmac-sha384", {"\13hmac-sha384\0", 13}, GNUTLS_MAC_SHA384, 48},
    Algorithm{
        TsigAlgorithm::HmacSha512, "hmac-sha512", {"\13hmac-sha512\0", 13}, GNUTLS_MAC_SHA512, 64}};

const Algorithm& details(TsigAlgorithm algorithm) noexcept {
    return algorithms[static_cast<std::size_t>(algorithm)];
}

std::span<const std::uint8_t> octets_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Name name_of(const Algorithm& algorithm) noexcept {
    return *Name::from_octets(octets_of(algorithm.name));
}

std::uint64_t seconds_of(WallTime time) noexcept {
    const auto since = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
    return since > 0 ? static_cast<std::uint64_t>(since) : 0;
}

void put_u16(Octets& octets, std::uint64_t value) {
    octets.push_back(static_cast<std::uint8_t>(value >> 8));
    octets.push_back(static_cast<std::uint8_t>(value));
}
void put_u48(Octets& octets, std::uint64_t value) {
    put_u16(octets, value >> 32);
    put_u16(octets, value >> 16);
    put_u16(octets, value);
}
void put(Octets& octets, std::span<const std::uint8_t> more) {
    octets.insert(octets.end(), more.begin(), more.end());
}

std::uint16_t u16_at(std::span<const std::uint8_t> octets, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(octets[at] << 8 | octets[at + 1]);
}
void set_u16_at(std::span<std::uint8_t> octets, std::size_t at, std::uint16_t value) noexcept {
    octets[at] = static_cast<std::uint8_t>(value >> 8);
    octets[at + 1] = static_cast<std::uint8_t>(value);
}

// The TSIG RR as it stands in a message.
struct Tsig {
    std::size_t at = 0;  // where it begins
    Name key_name, algorithm_name;
    std::uint64_t time_signed = 0;
    std::uint16_t fudge = 0;
    std::span<const std::uint8_t> mac;
    std::uint16_t original_id = 0;
    TsigError error = TsigError::None;
    std::span<const std::uint8_t> other;
};

// Passes a name without looking where its pointer leads.
void skip_name(Reader& reader) noexcept {
    for (;;) {
        const std::uint8_t length = reader.u8();
        if (length == 0) return;  // or it cannot be read
        if ((length & 0xc0) == 0xc0) {
            reader.u8();
            return;
        }
        reader.take(length);  // the reserved kinds of labels lead beyond the end, or to nonsense
    }
}

std::uint64_t u48(Reader& reader) noexcept {
    const std::uint64_t high = reader.u16();
    return high << 32 | reader.u32();
}

// What walking over a message finds: whether it can be read to its end, and its TSIG RRs.
struct Walk {
    bool is_whole = false;
    std::size_t tsigs = 0;      // of the additional section
    std::size_t last_at = 0;    // where the last record begins
    bool last_is_tsig = false;  // and is one of the additional section
};
Walk walk(std::span<const std::uint8_t> message) noexcept {
    Walk found;
    Reader reader(message);
    reader.take(4);
    const std::uint16_t questions = reader.u16();
    const std::uint32_t before = std::uint32_t{reader.u16()} + reader.u16();
    const std::uint32_t records = before + reader.u16();
    for (unsigned i = 0; i < questions && reader.ok(); ++i) {
        skip_name(reader);
        reader.take(4);
    }
    for (std::uint32_t i = 0; i < records && reader.ok(); ++i) {
        found.last_at = reader.at();
        skip_name(reader);
        const auto type = static_cast<RrType>(reader.u16());
        reader.take(6);
        reader.take(reader.u16());
        found.last_is_tsig = i >= before && type == RrType::TSIG;
        if (found.last_is_tsig && reader.ok()) ++found.tsigs;
    }
    found.is_whole = reader.ok() && reader.left() == 0;
    return found;
}

// Nothing: there is none, it is not the only one or not the last record (§5.1), or not as §4.2 has
// it. The algorithm's name is not compressed, so that it can be read within the RDATA.
std::optional<Tsig> find_tsig(std::span<const std::uint8_t> message) noexcept {
    const Walk walked = walk(message);
    if (!walked.is_whole || walked.tsigs != 1 || !walked.last_is_tsig) return std::nullopt;
    Tsig tsig;
    tsig.at = walked.last_at;
    Reader reader(message);
    reader.take(tsig.at);
    tsig.key_name = reader.name();
    reader.u16();
    const std::uint16_t rr_class = reader.u16();
    const std::uint32_t ttl = reader.u32();
    Reader rdata(reader.take(reader.u16()));
    tsig.algorithm_name = rdata.name();
    tsig.time_signed = u48(rdata);
    tsig.fudge = rdata.u16();
    tsig.mac = rdata.take(rdata.u16());
    tsig.original_id = rdata.u16();
    tsig.error = static_cast<TsigError>(rdata.u16());
    tsig.other = rdata.take(rdata.u16());
    if (!reader.ok() || !rdata.ok() || rdata.left() != 0 || ttl != 0 ||
        rr_class != static_cast<std::uint16_t>(RrClass::ANY)) {
        return std::nullopt;
    }
    return tsig;
}

void take_off(Octets& message, std::size_t tsig_at) {
    message.resize(tsig_at);
    const std::uint16_t additionals = u16_at(message, additional_count_at);
    set_u16_at(message, additional_count_at, static_cast<std::uint16_t>(additionals - 1));
}

// The octets that a MAC covers besides the message (§4.3.3), in canonical form.
Octets variables(const Name& key_name, const Name& algorithm_name, std::uint64_t time,
                 std::uint16_t fudge, TsigError error, std::span<const std::uint8_t> other) {
    Octets octets;
    put(octets, key_name.lower_cased().octets());
    put_u16(octets, static_cast<std::uint16_t>(RrClass::ANY));
    octets.insert(octets.end(), 4, 0);  // the TTL
    put(octets, algorithm_name.lower_cased().octets());
    put_u48(octets, time);
    put_u16(octets, fudge);
    put_u16(octets, static_cast<std::uint16_t>(error));
    put_u16(octets, other.size());
    put(octets, other);
    return octets;
}
// The same for messages behind the first of a reply (§5.3.1).
Octets timers(std::uint64_t time, std::uint16_t fudge) {
    Octets octets;
    put_u48(octets, time);
    put_u16(octets, fudge);
    return octets;
}

Octets hmac(const TsigKey& key, std::initializer_list<std::span<const std::uint8_t>> parts) {
    const Algorithm& algorithm = details(key.algorithm);
    gnutls_hmac_hd_t state = nullptr;
    int status = gnutls_hmac_init(&state, algorithm.mac, key.secret.data(), key.secret.size());
    DNSD_ASSERT(status == 0);  // it knows the algorithm; memory alone may fail
    for (const auto part : parts) {
        if (part.empty()) continue;
        status = gnutls_hmac(state, part.data(), part.size());
        DNSD_ASSERT(status == 0);
    }
    Octets mac(algorithm.octets);
    gnutls_hmac_deinit(state, mac.data());
    return mac;
}

// The MAC of what went before, as it is covered: behind its length; nothing where there is none.
Octets prefixed(std::span<const std::uint8_t> mac) {
    Octets octets;
    if (mac.empty()) return octets;
    put_u16(octets, mac.size());
    put(octets, mac);
    return octets;
}

// The message's own octets, with the ID that it was signed with and without the TSIG RR.
Octets as_signed(std::span<const std::uint8_t> message, const Tsig& tsig) {
    Octets octets(message.begin(), message.end());
    take_off(octets, tsig.at);
    set_u16_at(octets, 0, tsig.original_id);
    return octets;
}

bool is_mac_size_allowed(std::size_t octets, std::size_t whole) noexcept {
    return octets <= whole && octets >= std::max(mac_octets_least, whole / 2);
}

// In constant time. `given` may be the head of `ours` alone.
bool is_same_mac(std::span<const std::uint8_t> given, const Octets& ours) noexcept {
    return gnutls_memcmp(given.data(), ours.data(), given.size()) == 0;
}

bool is_in_time(const Tsig& tsig, std::uint64_t now) noexcept {
    const std::uint64_t apart =
        tsig.time_signed > now ? tsig.time_signed - now : now - tsig.time_signed;
    return apart <= tsig.fudge;
}

void append_tsig(Octets& message, const Name& key_name, const Name& algorithm_name,
                 std::uint64_t time, std::span<const std::uint8_t> mac, TsigError error,
                 std::span<const std::uint8_t> other) {
    const std::uint16_t id = u16_at(message, 0);
    put(message, key_name.octets());
    put_u16(message, static_cast<std::uint16_t>(RrType::TSIG));
    put_u16(message, static_cast<std::uint16_t>(RrClass::ANY));
    message.insert(message.end(), 4, 0);  // the TTL
    put_u16(message, algorithm_name.size() + rdata_octets + mac.size() + other.size());
    put(message, algorithm_name.octets());
    put_u48(message, time);
    put_u16(message, fudge_seconds);
    put_u16(message, mac.size());
    put(message, mac);
    put_u16(message, id);
    put_u16(message, static_cast<std::uint16_t>(error));
    put_u16(message, other.size());
    put(message, other);
    const std::uint16_t additionals = u16_at(message, additional_count_at);
    set_u16_at(message, additional_count_at, static_cast<std::uint16_t>(additionals + 1));
}

std::size_t tsig_octets(const Name& key_name, const Name& algorithm_name,
                        std::size_t mac_and_other) noexcept {
    return key_name.size() + fixed_octets + algorithm_name.size() + rdata_octets + mac_and_other;
}

}  // namespace

std::string_view print(TsigAlgorithm algorithm) noexcept { return details(algorithm).text; }

std::optional<TsigAlgorithm> parse_tsig_algorithm(std::string_view text) noexcept {
    for (const Algorithm& algorithm : algorithms) {
        if (equal_ignoring_case(algorithm.text, text)) return algorithm.algorithm;
    }
    return std::nullopt;
}

std::string print(TsigError error) {
    switch (error) {
        case TsigError::None:
            return "NOERROR";
        case TsigError::BadSig:
            return "BADSIG";
        case TsigError::BadKey:
            return "BADKEY";
        case TsigError::BadTime:
            return "BADTIME";
        case TsigError::BadTrunc:
            return "BADTRUNC";
    }
    return fmt::format("error {}", static_cast<unsigned>(error));
}

Keyring::Keyring(std::vector<TsigKey> keys) {
    for (TsigKey& key : keys) {
        const auto place = std::ranges::lower_bound(keys_, key.name, {}, &TsigKey::name);
        if (place == keys_.end() || place->name != key.name) keys_.insert(place, std::move(key));
    }
}

const TsigKey* Keyring::find(const Name& name) const noexcept {
    const auto found = std::ranges::lower_bound(keys_, name, {}, &TsigKey::name);
    return found != keys_.end() && found->name == name ? &*found : nullptr;
}

bool has_tsig(std::span<const std::uint8_t> message) noexcept {
    if (message.size() < header_octets || u16_at(message, additional_count_at) == 0) return false;
    return walk(message).tsigs > 0;
}

Result<TsigSession, TsigFailure> TsigSession::verify_request(Octets& message, const Keyring& keys,
                                                             WallTime now) {
    const auto tsig = find_tsig(message);
    if (!tsig) return std::unexpected(TsigFailure{});
    TsigFailure failure{.rcode = Rcode::NotAuth,
                        .key_name = tsig->key_name,
                        .algorithm_name = tsig->algorithm_name,
                        .time_signed = tsig->time_signed,
                        .our_time = seconds_of(now)};
    const auto failed = [&](TsigError error) {
        failure.error = error;
        return std::unexpected(std::move(failure));
    };
    const TsigKey* key = keys.find(tsig->key_name);
    if (key == nullptr || name_of(details(key->algorithm)) != tsig->algorithm_name)
        return failed(TsigError::BadKey);
    if (!is_mac_size_allowed(tsig->mac.size(), details(key->algorithm).octets))
        return std::unexpected(TsigFailure{});
    const Octets mac =
        hmac(*key, {as_signed(message, *tsig),
                    variables(tsig->key_name, tsig->algorithm_name, tsig->time_signed, tsig->fudge,
                              tsig->error, tsig->other)});
    if (!is_same_mac(tsig->mac, mac)) return failed(TsigError::BadSig);
    if (!is_in_time(*tsig, failure.our_time)) {
        failure.key = *key;
        failure.mac.assign(tsig->mac.begin(), tsig->mac.end());
        return failed(TsigError::BadTime);
    }
    TsigSession session(*key);
    session.mac_.assign(tsig->mac.begin(), tsig->mac.end());
    take_off(message, tsig->at);
    return session;
}

TsigSession TsigSession::sign_request(Octets& message, const TsigKey& key, WallTime now) {
    TsigSession session(key);
    const std::uint64_t time = seconds_of(now);
    const Name algorithm = name_of(details(key.algorithm));
    session.mac_ = hmac(
        key, {message, variables(key.name, algorithm, time, fudge_seconds, TsigError::None, {})});
    append_tsig(message, key.name, algorithm, time, session.mac_, TsigError::None, {});
    return session;
}

void TsigSession::sign_reply(Octets& message, WallTime now) {
    const std::uint64_t time = seconds_of(now);
    const Name algorithm = name_of(details(key_.algorithm));
    const Octets rest =
        is_first_ ? variables(key_.name, algorithm, time, fudge_seconds, TsigError::None, {})
                  : timers(time, fudge_seconds);
    mac_ = hmac(key_, {prefixed(mac_), message, rest});
    is_first_ = false;
    append_tsig(message, key_.name, algorithm, time, mac_, TsigError::None, {});
}

Result<> TsigSession::verify_reply(Octets& message, WallTime now) {
    if (!has_tsig(message)) {
        if (is_first_) return fail("TSIG: the reply is not signed");
        if (++unsigned_since_ > unsigned_max)
            return fail("TSIG: 100 messages in a row are not signed");
        put(pending_, message);
        return {};
    }
    const auto tsig = find_tsig(message);
    if (!tsig) return fail("TSIG: malformed, or not the last record");
    if (tsig->error != TsigError::None)
        return fail(fmt::format("TSIG: the server says {}", print(tsig->error)));
    const Algorithm& algorithm = details(key_.algorithm);
    if (tsig->key_name != key_.name || tsig->algorithm_name != name_of(algorithm))
        return fail("TSIG: another key than the request's");
    if (!is_mac_size_allowed(tsig->mac.size(), algorithm.octets))
        return fail("TSIG: the MAC has a wrong size");
    const Octets rest = is_first_
                            ? variables(tsig->key_name, tsig->algorithm_name, tsig->time_signed,
                                        tsig->fudge, tsig->error, tsig->other)
                            : timers(tsig->time_signed, tsig->fudge);
    const Octets mac = hmac(key_, {prefixed(mac_), pending_, as_signed(message, *tsig), rest});
    if (!is_same_mac(tsig->mac, mac)) return fail("TSIG: the MAC is wrong");
    if (!is_in_time(*tsig, seconds_of(now)))
        return fail("TSIG: the clocks are too far apart, or the reply is old");
    mac_.assign(tsig->mac.begin(), tsig->mac.end());
    take_off(message, tsig->at);
    pending_.clear();
    unsigned_since_ = 0;
    is_first_ = false;
    return {};
}

std::size_t TsigSession::reply_octets() const noexcept {
    const Algorithm& algorithm = details(key_.algorithm);
    return tsig_octets(key_.name, name_of(algorithm), algorithm.octets);
}

void add_failure(Octets& reply, const TsigFailure& failure) {
    if (failure.error == TsigError::None) return;
    if (!failure.key) {
        append_tsig(reply, failure.key_name, failure.algorithm_name, failure.our_time, {},
                    failure.error, {});
        return;
    }
    // §5.2.3: the time of the request, so that the client believes the MAC, and ours beside it.
    Octets other;
    put_u48(other, failure.our_time);
    const Octets mac =
        hmac(*failure.key, {prefixed(failure.mac), reply,
                            variables(failure.key_name, failure.algorithm_name, failure.time_signed,
                                      fudge_seconds, failure.error, other)});
    append_tsig(reply, failure.key_name, failure.algorithm_name, failure.time_signed, mac,
                failure.error, other);
}

std::size_t octets_of(const TsigFailure& failure) noexcept {
    if (failure.error == TsigError::None) return 0;
    const std::size_t mac = failure.key ? details(failure.key->algorithm).octets : 0;
    return tsig_octets(failure.key_name, failure.algorithm_name, mac + other_octets_max);
}

namespace {

// Words of named.conf: a word, a text in quotes, or one of { } ;
struct Word {
    std::string_view text;
    bool is_quoted = false;
    bool is(std::string_view other) const noexcept { return !is_quoted && text == other; }
};

class Words {
  public:
    explicit Words(std::string_view text) noexcept : left_(text) {}

    std::size_t line() const noexcept { return line_; }
    // The next word; empty and not quoted: the end. Nothing: a quote or a comment does not end.
    std::optional<Word> next() noexcept {
        if (!skip()) return std::nullopt;
        if (left_.empty()) return Word{};
        if (left_[0] == '"') {
            const std::size_t end = left_.find_first_of("\"\n", 1);
            if (end == left_.npos || left_[end] == '\n') return std::nullopt;
            const Word word{left_.substr(1, end - 1), true};
            left_.remove_prefix(end + 1);
            return word;
        }
        const std::size_t end = left_.find_first_of(" \t\r\n\"{};#");
        const std::size_t size = std::max<std::size_t>(std::min(end, left_.size()), 1);
        const Word word{left_.substr(0, size)};
        left_.remove_prefix(size);
        return word;
    }

  private:
    // White space and comments. False: a comment does not end.
    bool skip() noexcept {
        for (;;) {
            if (left_.empty()) return true;
            if (left_[0] == '#' || left_.starts_with("//")) {
                left_.remove_prefix(std::min(left_.find('\n'), left_.size()));
            } else if (left_.starts_with("/*")) {
                const std::size_t end = left_.find("*/", 2);
                if (end == left_.npos) return false;
                drop(end + 2);
            } else if (left_[0] == ' ' || left_[0] == '\t' || left_[0] == '\r' ||
                       left_[0] == '\n') {
                drop(1);
            } else {
                return true;
            }
        }
    }
    void drop(std::size_t count) noexcept {
        line_ += static_cast<std::size_t>(std::ranges::count(left_.substr(0, count), '\n'));
        left_.remove_prefix(count);
    }

    std::string_view left_;
    std::size_t line_ = 1;
};

// key NAME { algorithm ALGORITHM; secret SECRET; };  with the two in any order.
class KeyParser {
  public:
    explicit KeyParser(std::string_view text) noexcept : words_(text) {}

    Result<std::vector<TsigKey>> parse() {
        std::vector<TsigKey> keys;
        if (auto read = advance(); !read) return std::unexpected(read.error());
        while (!word_.text.empty() || word_.is_quoted) {
            auto key = parse_key();
            if (!key) return std::unexpected(key.error());
            keys.push_back(*std::move(key));
        }
        return keys;
    }

  private:
    Result<> advance() {
        const auto word = words_.next();
        line_ = words_.line();
        if (!word) return wrong("a quote or a comment does not end");
        word_ = *word;
        return {};
    }
    std::unexpected<Error> wrong(std::string_view what) const {
        return fail(fmt::format("line {}: {}", line_, what));
    }
    Result<> expect(std::string_view text) {
        if (!word_.is(text))
            return wrong(fmt::format("'{}' is expected, not '{}'", text, word_.text));
        return advance();
    }

    Result<TsigKey> parse_key() {
        if (auto read = expect("key"); !read) return std::unexpected(read.error());
        TsigKey key;
        const auto name = wire::Name::parse(word_.text);
        if (!name) return wrong(fmt::format("'{}' is no name", word_.text));
        key.name = *name;
        if (auto read = advance(); !read) return std::unexpected(read.error());
        if (auto read = expect("{"); !read) return std::unexpected(read.error());
        bool has_algorithm = false;
        while (!word_.is("}")) {
            auto read = word_.is("algorithm") ? parse_algorithm(key)
                        : word_.is("secret")  ? parse_secret(key)
                                              : wrong_statement();
            if (!read) return std::unexpected(read.error());
            has_algorithm = has_algorithm || *read;
        }
        if (!has_algorithm || key.secret.empty())
            return wrong(
                fmt::format("key '{}' lacks its algorithm or its secret", key.name.print()));
        if (auto read = advance(); !read) return std::unexpected(read.error());
        if (auto read = expect(";"); !read) return std::unexpected(read.error());
        return key;
    }

    Result<bool> wrong_statement() const {
        return wrong(
            fmt::format("'algorithm', 'secret' or '}}' is expected, not '{}'", word_.text));
    }

    // True: it was the algorithm.
    Result<bool> parse_algorithm(TsigKey& key) {
        if (auto read = advance(); !read) return std::unexpected(read.error());
        const auto algorithm = parse_tsig_algorithm(word_.text);
        if (!algorithm)
            return wrong(fmt::format(
                "'{}' is no algorithm; hmac-sha256, hmac-sha384 and hmac-sha512 are", word_.text));
        key.algorithm = *algorithm;
        if (auto read = end_statement(); !read) return std::unexpected(read.error());
        return true;
    }
    // The secret itself is in no message.
    Result<bool> parse_secret(TsigKey& key) {
        if (auto read = advance(); !read) return std::unexpected(read.error());
        auto secret = parse_base64(word_.text);
        if (!secret || secret->empty() || secret->size() > secret_octets_max)
            return wrong("the secret is not in base64, or empty");
        key.secret = *std::move(secret);
        if (auto read = end_statement(); !read) return std::unexpected(read.error());
        return false;
    }
    Result<> end_statement() {
        if (auto read = advance(); !read) return read;
        return expect(";");
    }

    Words words_;
    Word word_;
    std::size_t line_ = 1;  // of word_
};

}  // namespace

Result<std::vector<TsigKey>> parse_tsig_keys(std::string_view text) {
    return KeyParser(text).parse();
}

}  // namespace dnsd::wire
