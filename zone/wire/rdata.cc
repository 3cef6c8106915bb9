#include "zone/wire/rdata.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "zone/wire/dnssec_text.h"
#include "zone/wire/location.h"
#include "zone/wire/presentation.h"
#include "zone/wire/rdata_types.h"
#include "zone/wire/reader.h"
#include "zone/wire/service_parameters.h"

namespace dnsd::wire {

namespace {

constexpr std::size_t rdata_octets_max = 65'535;
constexpr std::size_t port_bits_octets_max = 8'192;

std::span<const std::uint8_t> octets_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// Octets -> fields. The reader knows the whole message, for pointers; `end_` is where RDATA ends.
class Decoder {
  public:
    Decoder(Reader& reader, std::size_t end) : reader_(reader), end_(end) {}

    void u8(std::uint8_t& value) { value = reader_.u8(); }
    void u16(std::uint16_t& value) { value = reader_.u16(); }
    void u32(std::uint32_t& value) { value = reader_.u32(); }
    void ipv4(Ipv4& address) { copy(address.octets); }
    void ipv6(Ipv6& address) { copy(address.octets); }
    void name(Name& name, Compression) { name = reader_.name(); }
    void text(std::string& text) {
        const auto octets = reader_.take(reader_.u8());
        text.assign(octets.begin(), octets.end());
    }
    void texts(std::vector<std::string>& texts) {
        do text(texts.emplace_back());
        while (left() > 0 && reader_.ok());
    }
    void tag(std::string& tag) {
        text(tag);
        good_ = good_ && !tag.empty() && std::ranges::all_of(tag, [](char c) {
                    return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
                });
    }
    void rest_as_text(std::string& text) {
        const auto octets = reader_.take(left());
        text.assign(octets.begin(), octets.end());
    }
    void hex(Octets& octets) { rest(octets); }
    void base64(Octets& octets) { rest(octets); }
    void algorithm(std::uint8_t& value) { u8(value); }
    void rr_type(RrType& type) { type = static_cast<RrType>(reader_.u16()); }
    void time(std::uint32_t& seconds) { u32(seconds); }
    void salt(Octets& octets) { sized(octets); }
    void hashed_name(Octets& octets) {
        sized(octets);
        good_ = good_ && !octets.empty();
    }
    void type_bits(Octets& octets) {
        rest(octets);
        good_ = good_ && are_type_bits(octets);
    }
    void location(LocRdata& location) { LocRdata::numbers(location, *this); }
    void port_bits(Octets& octets) {
        rest(octets);
        good_ = good_ && octets.size() <= port_bits_octets_max;
    }
    void parameters(std::vector<ServiceParameter>& parameters) {
        while (left() > 0 && reader_.ok()) {
            ServiceParameter& one = parameters.emplace_back();
            one.key = reader_.u16();
            const auto value = reader_.take(reader_.u16());
            one.value.assign(value.begin(), value.end());
        }
        good_ = good_ && are_valid(parameters);
    }
    void options(std::vector<OptRdata::Option>& options) {
        while (left() > 0 && reader_.ok()) {
            auto& one = options.emplace_back();
            one.code = reader_.u16();
            const auto data = reader_.take(reader_.u16());
            one.data.assign(data.begin(), data.end());
        }
    }

    bool ok() const { return good_ && reader_.ok() && reader_.at() == end_; }

  private:
    std::size_t left() const { return reader_.at() < end_ ? end_ - reader_.at() : 0; }
    template <std::size_t size>
    void copy(std::array<std::uint8_t, size>& into) {
        const auto octets = reader_.take(size);
        if (octets.size() == size) std::ranges::copy(octets, into.begin());
    }
    void rest(Octets& into) { take(left(), into); }
    void sized(Octets& into) { take(reader_.u8(), into); }
    void take(std::size_t count, Octets& into) {
        const auto octets = reader_.take(count);
        into.assign(octets.begin(), octets.end());
    }

    Reader& reader_;
    std::size_t end_;
    bool good_ = true;
};

// Fields -> octets, uncompressed. (Replies are compressed as they are written: message.cc.)
class Encoder {
  public:
    void u8(std::uint8_t value) { octets.push_back(value); }
    void u16(std::uint16_t value) {
        u8(static_cast<std::uint8_t>(value >> 8));
        u8(static_cast<std::uint8_t>(value));
    }
    void u32(std::uint32_t value) {
        u16(static_cast<std::uint16_t>(value >> 16));
        u16(static_cast<std::uint16_t>(value));
    }
    void ipv4(const Ipv4& address) { put(address.octets); }
    void ipv6(const Ipv6& address) { put(address.octets); }
    void name(const Name& name, Compression) { put(name.octets()); }
    void text(const std::string& text) {
        u8(static_cast<std::uint8_t>(text.size()));
        put(octets_of(text));
    }
    void texts(const std::vector<std::string>& texts) {
        for (const std::string& one : texts) text(one);
    }
    void tag(const std::string& tag) { text(tag); }
    void rest_as_text(const std::string& text) { put(octets_of(text)); }
    void hex(const Octets& more) { put(more); }
    void base64(const Octets& more) { put(more); }
    void algorithm(std::uint8_t value) { u8(value); }
    void rr_type(RrType type) { u16(std::to_underlying(type)); }
    void time(std::uint32_t seconds) { u32(seconds); }
    void salt(const Octets& more) { sized(more); }
    void hashed_name(const Octets& more) { sized(more); }
    void type_bits(const Octets& more) { put(more); }
    void location(const LocRdata& location) { LocRdata::numbers(location, *this); }
    void port_bits(const Octets& more) { put(more); }
    void parameters(const std::vector<ServiceParameter>& parameters) {
        for (const ServiceParameter& one : parameters) {
            u16(one.key);
            u16(static_cast<std::uint16_t>(one.value.size()));
            put(one.value);
        }
    }
    void options(const std::vector<OptRdata::Option>& options) {
        for (const auto& one : options) {
            u16(one.code);
            u16(static_cast<std::uint16_t>(one.data.size()));
            put(one.data);
        }
    }

    Octets octets;

  private:
    void sized(const Octets& more) {
        u8(static_cast<std::uint8_t>(more.size()));
        put(more);
    }
    void put(std::span<const std::uint8_t> more) {
        octets.insert(octets.end(), more.begin(), more.end());
    }
};

// Text -> fields. The first thing that is wrong is kept, and said.
class Parser {
  public:
    Parser(std::span<const Token> tokens, const Name& origin) : tokens_(tokens), origin_(origin) {}

    void u8(std::uint8_t& value) { number(value); }
    void u16(std::uint16_t& value) { number(value); }
    void u32(std::uint32_t& value) { number(value); }
    void ipv4(Ipv4& address) { parsed(address, parse_ipv4, "an IPv4 address"); }
    void ipv6(Ipv6& address) { parsed(address, parse_ipv6, "an IPv6 address"); }
    void name(Name& name, Compression) {
        const Token* token = next("a name");
        if (!token) return;
        auto parsed = Name::parse(token->text, origin_);
        if (parsed) {
            name = *parsed;
        } else {
            wrong(parsed.error().message);
        }
    }
    void text(std::string& text) {
        const Token* token = next("a character-string");
        if (!token) return;
        auto plain = unescaped(token->text);
        if (!plain || plain->size() > 255) {
            wrong("a character-string has at most 255 octets, and escapes are \\DDD or \\X");
        } else {
            text = std::move(*plain);
        }
    }
    void texts(std::vector<std::string>& texts) {
        do text(texts.emplace_back());
        while (at_ < tokens_.size() && error_.empty());
    }
    void tag(std::string& tag) {
        text(tag);
        if (tag.empty() || !std::ranges::all_of(tag, [](char c) {
                return (c >= '0' && c <= '9') || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
            }))
            wrong("a tag is letters and digits");
    }
    void rest_as_text(std::string& text) {
        const Token* token = next("a character-string");
        auto plain = token ? unescaped(token->text) : std::nullopt;
        if (token && !plain) wrong("escapes are \\DDD or \\X");
        if (plain) text = std::move(*plain);
    }
    void hex(Octets& octets) { rest(octets, parse_hex, "hex"); }
    void base64(Octets& octets) { rest(octets, parse_base64, "base64"); }
    void algorithm(std::uint8_t& value) { parsed(value, parse_algorithm, "an algorithm"); }
    void rr_type(RrType& type) { parsed(type, parse_type, "an RR type"); }
    void time(std::uint32_t& seconds) {
        parsed(seconds, parse_signature_time, "a time as YYYYMMDDHHmmSS");
    }
    void salt(Octets& octets) {
        const auto parse = [](std::string_view text) {
            return text == "-" ? Octets() : parse_hex(text);
        };
        parsed(octets, parse, "a salt in hex, or '-'");
        if (octets.size() > 255) wrong("a salt has at most 255 octets");
    }
    void hashed_name(Octets& octets) {
        parsed(octets, parse_base32hex, "a hashed name in base32hex");
        if (octets.empty() || octets.size() > 255) wrong("a hashed name has 1 to 255 octets");
    }
    void type_bits(Octets& octets) { all(octets, parse_type_bits); }
    void location(LocRdata& location) { all(location, parse_location); }
    void port_bits(Octets& octets) {
        while (at_ < tokens_.size() && error_.empty()) {
            std::uint16_t port = 0;
            number(port);
            if (octets.size() <= port / 8u) octets.resize(port / 8u + 1);
            octets[port / 8u] = static_cast<std::uint8_t>(octets[port / 8u] | 0x80 >> port % 8);
        }
    }
    void parameters(std::vector<ServiceParameter>& parameters) {
        all(parameters, parse_parameters);
    }
    void options(std::vector<OptRdata::Option>&) { wrong("OPT has no text"); }

    Result<> end() {
        if (error_.empty() && at_ < tokens_.size())
            wrong(fmt::format("'{}' is too much", tokens_[at_].text));
        if (error_.empty()) return {};
        return fail(error_);
    }

  private:
    const Token* next(std::string_view what) {
        if (at_ < tokens_.size()) return &tokens_[at_++];
        wrong(fmt::format("{} is missing", what));
        return nullptr;
    }
    void wrong(std::string what) {
        if (error_.empty()) error_ = std::move(what);
    }
    template <class Number>
    void number(Number& value) {
        constexpr auto most = std::numeric_limits<Number>::max();
        const Token* token = next("a number");
        if (!token) return;
        const auto parsed = parse_unsigned(token->text);
        if (!parsed || *parsed > most)
            return wrong(fmt::format("'{}' is no number from 0 to {}", token->text, most));
        value = static_cast<Number>(*parsed);
    }
    template <class Value, class Parse>
    void parsed(Value& value, Parse parse, std::string_view what) {
        const Token* token = next(what);
        if (!token) return;
        const auto found = parse(token->text);
        if (!found) return wrong(fmt::format("'{}' is not {}", token->text, what));
        value = *found;
    }
    // Digits that may stand in several words.
    template <class Parse>
    void rest(Octets& octets, Parse parse, std::string_view what) {
        std::string digits;
        while (at_ < tokens_.size()) digits += tokens_[at_++].text;
        auto parsed = parse(digits);
        if (!parsed) return wrong(fmt::format("'{}' are no octets in {}", digits, what));
        octets = std::move(*parsed);
    }
    template <class Value, class Parse>
    void all(Value& value, Parse parse) {
        auto parsed = parse(tokens_.subspan(at_));
        at_ = tokens_.size();
        if (!parsed) return wrong(parsed.error().message);
        value = std::move(*parsed);
    }

    std::span<const Token> tokens_;
    const Name& origin_;
    std::size_t at_ = 0;
    std::string error_;
};

// Fields -> text.
class Printer {
  public:
    void u8(std::uint8_t value) { word(std::to_string(value)); }
    void u16(std::uint16_t value) { word(std::to_string(value)); }
    void u32(std::uint32_t value) { word(std::to_string(value)); }
    void ipv4(const Ipv4& address) { word(print(address)); }
    void ipv6(const Ipv6& address) { word(print(address)); }
    void name(const Name& name, Compression) { word(name.is_root() ? "." : name.print() + '.'); }
    void text(const std::string& text) { word(quoted_text(octets_of(text))); }
    void texts(const std::vector<std::string>& texts) {
        for (const std::string& one : texts) text(one);
    }
    void tag(const std::string& tag) { word(tag); }
    void rest_as_text(const std::string& rest) { text(rest); }
    void hex(const Octets& octets) {
        if (!octets.empty()) word(print_hex(octets));
    }
    void base64(const Octets& octets) {
        if (!octets.empty()) word(print_base64(octets));
    }
    void algorithm(std::uint8_t value) { u8(value); }
    void rr_type(RrType type) { word(wire::print(type)); }
    void time(std::uint32_t seconds) { word(print_signature_time(seconds)); }
    void salt(const Octets& octets) { word(octets.empty() ? "-" : print_hex(octets)); }
    void hashed_name(const Octets& octets) { word(print_base32hex(octets)); }
    void type_bits(const Octets& octets) {
        if (!octets.empty()) word(print_type_bits(octets));
    }
    void location(const LocRdata& location) { word(print_location(location)); }
    void port_bits(const Octets& octets) {
        for (std::size_t port = 0; port < octets.size() * 8; ++port) {
            if (octets[port / 8] & 0x80 >> port % 8) word(std::to_string(port));
        }
    }
    void parameters(const std::vector<ServiceParameter>& parameters) {
        for (const ServiceParameter& one : parameters) word(print_parameter(one));
    }

    std::string text_;

  private:
    void word(std::string_view more) {
        if (!text_.empty()) text_ += ' ';
        text_ += more;
    }
};

// Calls `action` with an empty RDATA of the type; false if it is not one of ours.
template <class Action, std::size_t... index>
bool with_type(RrType type, Action&& action, std::index_sequence<index...>) {
    return (... || (std::tuple_element_t<index, KnownTypes>::type == type &&
                    (action(std::tuple_element_t<index, KnownTypes>()), true)));
}
template <class Action>
bool with_type(RrType type, Action&& action) {
    return with_type(type, std::forward<Action>(action),
                     std::make_index_sequence<std::tuple_size_v<KnownTypes>>());
}

// RFC 3597 §5: \# 4 C0000201
std::string print_unknown(std::span<const std::uint8_t> rdata) {
    if (rdata.empty()) return "\\# 0";
    return fmt::format("\\# {} {}", rdata.size(), print_hex(rdata));
}

Result<RdataOctets> parse_unknown(std::span<const Token> tokens) {
    const auto size = tokens.size() > 1 ? parse_unsigned(tokens[1].text) : std::nullopt;
    if (!size || *size > rdata_octets_max) return fail("\\# is followed by a length");
    std::string digits;
    for (const Token& token : tokens.subspan(2)) digits += token.text;
    auto octets = parse_hex(digits);
    if (!octets || octets->size() != *size)
        return fail(fmt::format("\\# {} is followed by that many octets in hex", *size));
    return std::move(*octets);
}

}  // namespace

std::optional<RdataOctets> decode_rdata(RrType type, std::span<const std::uint8_t> message,
                                        std::size_t at, std::size_t size) {
    if (at > message.size() || message.size() - at < size) return std::nullopt;
    const auto rdata = message.subspan(at, size);
    std::optional<RdataOctets> out;
    const bool known = with_type(type, [&](auto record) {
        // What comes after RDATA is no part of it, not even of a name that runs over its end.
        Reader reader(message.first(at + size));
        reader.take(at);
        Decoder decoder(reader, at + size);
        decltype(record)::fields(record, decoder);
        if (!decoder.ok()) return;
        Encoder encoder;
        decltype(record)::fields(std::as_const(record), encoder);
        out = std::move(encoder.octets);
    });
    if (!known) out = RdataOctets(rdata.begin(), rdata.end());
    return out;
}

std::optional<RdataOctets> decode_rdata(RrType type, std::span<const std::uint8_t> rdata) {
    auto octets = decode_rdata(type, rdata, 0, rdata.size());
    // A pointer into RDATA itself leads nowhere when it stands elsewhere.
    if (!octets || octets->size() != rdata.size()) return std::nullopt;
    return octets;
}

Result<RdataOctets> parse_rdata(RrType type, std::string_view text, const Name& origin) {
    const auto tokens = split_tokens(text);
    if (!tokens) return std::unexpected(tokens.error());
    if (!tokens->empty() && !(*tokens)[0].quoted && (*tokens)[0].text == "\\#") {
        auto octets = parse_unknown(*tokens);
        if (octets && !decode_rdata(type, *octets))
            return fail(fmt::format("these octets are no {}", print(type)));
        return octets;
    }
    Result<RdataOctets> out =
        fail(fmt::format("RDATA of {} is written \\# LENGTH HEX", print(type)));
    with_type(type, [&](auto record) {
        Parser parser(*tokens, origin);
        decltype(record)::fields(record, parser);
        if (auto ended = parser.end(); !ended) {
            out = in_context(print(type), ended.error());
            return;
        }
        Encoder encoder;
        decltype(record)::fields(std::as_const(record), encoder);
        out = std::move(encoder.octets);
    });
    if (out && out->size() > rdata_octets_max) return fail("RDATA has at most 65535 octets");
    return out;
}

std::string print_rdata(RrType type, std::span<const std::uint8_t> rdata) {
    std::string text = print_unknown(rdata);
    with_type(type, [&](auto record) {
        if constexpr (!std::is_same_v<decltype(record), OptRdata>) {
            Reader reader(rdata);
            Decoder decoder(reader, rdata.size());
            decltype(record)::fields(record, decoder);
            if (!decoder.ok()) return;
            if constexpr (requires { record.has_text(); }) {
                if (!record.has_text()) return;
            }
            Printer printer;
            decltype(record)::fields(std::as_const(record), printer);
            text = std::move(printer.text_);
        }
    });
    return text;
}

}  // namespace dnsd::wire
