// Runs scenario files (README.md) through octets: query in, reply out, as a worker does.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "base/text.h"
#include "dnsd/nameserver/answer.h"
#include "zone/wire/message.h"
#include "zone/wire/rdata.h"
#include "zone/wire/reader.h"

namespace {

using namespace dnsd;
using wire::Name;
using wire::RrType;

[[noreturn]] void malformed(const std::string& file, int line, const std::string& why) {
    std::fprintf(stderr, "%s:%d: the scenario is malformed: %s\n", file.c_str(), line, why.c_str());
    std::exit(2);
}

struct Option {
    std::uint16_t code = 0;
    std::vector<std::uint8_t> octets;
};

// What a query may say in its OPT RR, and how it may get it wrong.
struct Edns {
    int size = -1;  // none: no OPT RR
    std::uint8_t version = 0;
    std::uint16_t flags = 0;
    std::vector<Option> options;
    unsigned copies = 1;
    Name owner;
    bool in_answer = false;     // not in the additional section
    bool is_too_short = false;  // an octet is missing from the last option

    bool is_well_formed() const {
        return copies == 1 && owner.is_root() && !in_answer && !is_too_short;
    }
};

struct Question {
    Name name;
    RrType type = RrType::A;
    std::uint16_t rr_class = 1, flags = 0;
    unsigned copies = 1;
    Edns edns;
    bool tcp = false;
};

constexpr std::uint16_t do_bit = 0x8000;

class Octets {
  public:
    void u16(unsigned value) {
        octets_.push_back(static_cast<std::uint8_t>(value >> 8));
        octets_.push_back(static_cast<std::uint8_t>(value));
    }
    void all(std::span<const std::uint8_t> octets) {
        octets_.insert(octets_.end(), octets.begin(), octets.end());
    }
    std::size_t size() const { return octets_.size(); }
    std::vector<std::uint8_t> take() { return std::move(octets_); }

  private:
    std::vector<std::uint8_t> octets_;
};

std::vector<std::uint8_t> octets_of(const Edns& edns) {
    Octets options;
    for (const Option& option : edns.options) {
        options.u16(option.code);
        options.u16(static_cast<unsigned>(option.octets.size()));
        options.all(option.octets);
    }
    auto rdata = options.take();
    if (edns.is_too_short) rdata.pop_back();
    Octets octets;
    octets.all(edns.owner.octets());
    octets.u16(static_cast<unsigned>(RrType::OPT));
    octets.u16(static_cast<unsigned>(edns.size));
    octets.u16(edns.version);
    octets.u16(edns.flags);
    octets.u16(static_cast<unsigned>(rdata.size()));
    octets.all(rdata);
    return octets.take();
}

std::vector<std::uint8_t> octets_of(const Question& question) {
    const unsigned opts = question.edns.size < 0 ? 0 : question.edns.copies;
    const bool in_answer = question.edns.in_answer;
    Octets octets;
    for (const unsigned value : {0x4711u, unsigned{question.flags}, question.copies,
                                 in_answer ? opts : 0u, 0u, in_answer ? 0u : opts})
        octets.u16(value);
    for (unsigned i = 0; i < question.copies; ++i) {
        octets.all(question.name.octets());
        octets.u16(static_cast<unsigned>(question.type));
        octets.u16(question.rr_class);
    }
    for (unsigned i = 0; i < opts; ++i) octets.all(octets_of(question.edns));
    return octets.take();
}

std::string hex(std::span<const std::uint8_t> octets) {
    std::string text;
    for (const std::uint8_t octet : octets) text += fmt::format("{:02x}", octet);
    return text;
}

// One record as text, as an expectation may name it: "answer www.example.org 300 A 192.0.2.1"; or
// an option: "option 3 68657265" has no owner but a code.
struct Shown {
    std::string section, owner, ttl, type, rdata;
};

struct Expected {
    std::string section, owner, ttl, type, rdata, whole;
    unsigned any = 0;  // this many records of the section, whatever they are
};

bool matches(const Expected& expected, const Shown& shown) {
    return expected.section == shown.section && expected.owner == shown.owner &&
           expected.type == shown.type && (expected.ttl.empty() || expected.ttl == shown.ttl) &&
           (expected.rdata.empty() || expected.rdata == shown.rdata);
}

class Scenario {
  public:
    explicit Scenario(std::string file) : file_(std::move(file)) {}

    // The number of questions whose answer was another.
    int run() {
        std::ifstream in(file_);
        if (!in) malformed(file_, 0, "it cannot be read");
        std::string text;
        while (std::getline(in, text)) {
            ++line_;
            const bool is_indented = text.starts_with(' ');
            const std::string_view content =
                trimmed(std::string_view(text).substr(0, comment_at(text)));
            if (content.empty()) continue;
            if (is_indented) {
                go_on(content);
                continue;
            }
            const auto [word, rest] = cut(content);
            if (word == "zone") {
                finish_question();
                begin_zone(rest);
            } else if (word == "query") {
                finish_question();
                read_query(rest);
            } else if (word == "answer") {
                read_answer(rest);
            } else {
                malformed(file_, line_, fmt::format("'{}' is no word of theirs", word));
            }
        }
        finish_question();
        if (questions_ == 0) malformed(file_, line_, "it asks nothing");
        return failures_;
    }
    int questions() const { return questions_; }

  private:
    static std::pair<std::string, std::string> cut(std::string_view text) {
        text = trimmed(text);
        const auto end = text.find_first_of(" \t");
        if (end == text.npos) return {std::string(text), ""};
        return {std::string(text.substr(0, end)), std::string(trimmed(text.substr(end)))};
    }
    static std::size_t comment_at(std::string_view text) {
        bool quoted = false;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '"') quoted = !quoted;
            if (text[i] == '#' && !quoted && (i == 0 || text[i - 1] == ' ')) return i;
        }
        return text.size();
    }
    Name name(std::string_view text) {
        const auto parsed = Name::parse(text);
        if (!parsed) malformed(file_, line_, parsed.error().message);
        return *parsed;
    }
    RrType type(const std::string& text) {
        const auto parsed = wire::parse_type(text);
        if (!parsed) malformed(file_, line_, fmt::format("'{}' is no type", text));
        return *parsed;
    }

    void begin_zone(const std::string& text) {
        if (asked_) {  // a new world
            zones_.clear();
            asked_ = false;
        }
        const auto [origin, state] = cut(text);
        if (!state.empty() && state != "unloaded")
            malformed(file_, line_, fmt::format("a zone is not '{}'", state));
        zones_.push_back({name(origin), state.empty(), {}});
        in_answer_ = false;
    }
    void go_on(std::string_view content) {
        if (in_answer_) {
            read_expected(content);
        } else if (!zones_.empty()) {
            read_record(content);
        } else {
            malformed(file_, line_, "this line belongs to nothing");
        }
    }
    void read_record(std::string_view content) {
        const auto [owner, after_owner] = cut(content);
        const auto [ttl, after_ttl] = cut(after_owner);
        const auto [type_word, rdata_text] = cut(after_ttl);
        const RrType of = type(type_word);
        const auto rdata = wire::parse_rdata(of, rdata_text, Name());
        if (!rdata) malformed(file_, line_, rdata.error().message);
        Set& set = zones_.back().rrsets[{name(owner), of}];
        set.ttl = static_cast<std::uint32_t>(parse_unsigned(ttl).value_or(0));
        set.records.push_back({*rdata, 1});
    }
    void read_query(const std::string& text) {
        std::vector<std::string> words;
        for (std::string rest = text; !rest.empty();) {
            auto [word, after] = cut(rest);
            words.push_back(word);
            rest = after;
        }
        if (words.size() < 2) malformed(file_, line_, "a query has a name and a type");
        question_ = {};
        question_.name = name(words[0]);
        question_.type = type(words[1]);
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto equals = words[i].find('=');
            const std::string what = words[i].substr(0, equals);
            const std::string value = equals == words[i].npos ? "" : words[i].substr(equals + 1);
            const auto number = static_cast<unsigned>(parse_unsigned(value).value_or(0));
            if (what == "tcp") {
                question_.tcp = true;
            } else if (what == "rd") {
                question_.flags |= 0x0100;
            } else if (what == "qr") {
                question_.flags |= 0x8000;
            } else if (what == "opcode") {
                question_.flags = static_cast<std::uint16_t>(question_.flags | number << 11);
            } else if (what == "class") {
                const auto parsed = wire::parse_class(value);
                if (!parsed) malformed(file_, line_, "no such class");
                question_.rr_class = static_cast<std::uint16_t>(*parsed);
            } else if (what == "questions") {
                question_.copies = number;
            } else if (!read_edns(what, value, number)) {
                malformed(file_, line_, fmt::format("a query has no '{}'", what));
            }
        }
        query_line_ = line_;
        open_ = asked_ = true;
        in_answer_ = false;
    }
    bool read_edns(const std::string& what, const std::string& value, unsigned number) {
        Edns& edns = question_.edns;
        if (what == "edns") {
            edns.size = static_cast<int>(number);
        } else if (what == "version") {
            edns.version = static_cast<std::uint8_t>(number);
        } else if (what == "do") {
            edns.flags |= do_bit;
        } else if (what == "z") {
            edns.flags |= 0x7fff;
        } else if (what == "nsid") {
            edns.options.push_back({wire::nsid_option, {}});
        } else if (what == "option") {
            edns.options.push_back(read_option(value));
        } else if (what == "too-short") {
            edns.is_too_short = true;
        } else if (what == "opts") {
            edns.copies = number;
        } else if (what == "opt-owner") {
            edns.owner = name(value);
        } else if (what == "opt-in-answer") {
            edns.in_answer = true;
        } else {
            return false;
        }
        return true;
    }
    Option read_option(const std::string& text) {
        const auto colon = text.find(':');
        Option option;
        option.code = static_cast<std::uint16_t>(parse_unsigned(text.substr(0, colon)).value_or(0));
        for (std::size_t at = colon == text.npos ? text.size() : colon + 1; at < text.size();
             at += 2)
            option.octets.push_back(
                static_cast<std::uint8_t>(std::stoul(text.substr(at, 2), nullptr, 16)));
        return option;
    }
    void read_answer(const std::string& text) {
        if (!open_) malformed(file_, line_, "this answers no query");
        head_ = text;
        expected_.clear();
        in_answer_ = true;
    }
    void read_expected(std::string_view content) {
        Expected one;
        one.whole = content;
        const auto [section, after_section] = cut(content);
        auto [owner, rest] = cut(after_section);
        one.section = section;
        if (owner == "any") {
            one.any = static_cast<unsigned>(parse_unsigned(rest).value_or(0));
            expected_.push_back(one);
            return;
        }
        one.owner = owner;
        if (section == "option" || section == "error") {
            one.rdata = rest;
            expected_.push_back(one);
            return;
        }
        auto [word, after_word] = cut(rest);
        if (parse_unsigned(word)) {
            one.ttl = word;
            std::tie(word, after_word) = cut(after_word);
        }
        const RrType of = type(word);
        one.type = wire::print(of);
        if (!after_word.empty()) {
            const auto rdata = wire::parse_rdata(of, after_word, Name());
            if (!rdata) malformed(file_, line_, rdata.error().message);
            one.rdata = wire::print_rdata(of, *rdata);
        }
        expected_.push_back(one);
    }

    std::shared_ptr<const tree::ZoneSet> zone_set() {
        auto set = std::make_shared<const tree::ZoneSet>();
        for (const auto& [origin, is_loaded, rrsets] : zones_) {
            tree::ZoneEdit edit(tree::Zone::make(origin));
            const auto put = [&](const Name& owner, RrType of, const Set& from) {
                edit.set(owner, std::make_shared<const tree::RRset>(of, from.ttl, from.records));
            };
            if (is_loaded && !rrsets.contains({origin, RrType::SOA})) {
                const auto soa =
                    wire::parse_rdata(RrType::SOA, "ns hostmaster 1 7200 900 1209600 300", origin);
                put(origin, RrType::SOA, {300, {{*soa, 1}}});
            }
            for (const auto& [key, from] : rrsets) put(key.first, key.second, from);
            set = set->with(edit.finish());
        }
        return set;
    }

    void finish_question() {
        if (!open_) return;
        if (!in_answer_) malformed(file_, query_line_, "the query has no answer");
        open_ = in_answer_ = false;
        ++questions_;
        const nameserver::AnswerOptions options{.nsid = "here",
                                                .version = "dnsd",
                                                .server_id = "",
                                                .udp_payload_octets_max = 1232,
                                                .tcp_idle_timeout = std::chrono::seconds(10)};
        nameserver::AnswerCounters counters;
        const auto zones = zone_set();
        const auto query = octets_of(question_);
        const auto ask = [&](std::optional<tree::LookAhead::Found> ahead) {
            Random random(1);
            nameserver::AnswerContext context{
                *zones,
                options,
                question_.tcp ? nameserver::Transport::Tcp : nameserver::Transport::Udp,
                WallTime{},
                random,
                counters};
            context.ahead = ahead;
            std::vector<std::uint8_t> reply(65'535);
            reply.resize(nameserver::answer(query, context, reply).octets);
            return reply;
        };
        const auto reply = ask({});
        judge(reply);
        // As a worker does, which looks for the names of a batch at once.
        if (const auto question = wire::glance_at_question(query)) {
            tree::LookAhead ahead;
            ahead.add(*zones, question->name, question->type);
            ahead.fetch();
            if (ask(ahead[0]) != reply) failed("another reply where the name was found ahead", {});
        }
    }

    void judge(const std::vector<std::uint8_t>& reply) {
        std::string head = "silence";
        std::vector<Shown> shown;
        if (!reply.empty()) {
            const auto message = wire::decode_message(reply);
            if (!message) return failed("the reply does not decode", {});
            std::uint16_t rcode = message->flags & 0x0f;
            bool has_edns = false;
            for (const wire::Record& record : message->records) {
                if (record.type == RrType::OPT) {
                    rcode = static_cast<std::uint16_t>(rcode | (record.ttl >> 24) << 4);
                    has_edns = true;
                    // RFC 6891 §6.1.3, §6.1.4, RFC 3225 §3: our version is 0, and DO comes back.
                    if ((record.ttl & 0xffffff) != (question_.edns.flags & do_bit))
                        return failed("the reply's OPT RR has another version or other flags", {});
                    show_options(record.rdata, shown);
                    continue;
                }
                const auto rdata =
                    wire::decode_rdata(record.type, reply,
                                       static_cast<std::size_t>(record.rdata.data() - reply.data()),
                                       record.rdata.size());
                shown.push_back({record.section == wire::Section::Answer      ? "answer"
                                 : record.section == wire::Section::Authority ? "authority"
                                                                              : "additional",
                                 record.owner.print(), std::to_string(record.ttl),
                                 wire::print(record.type),
                                 rdata ? wire::print_rdata(record.type, *rdata) : "malformed"});
            }
            // RFC 6891 §6.1.1: an OPT RR for those, and only for those, that sent one.
            const Edns& edns = question_.edns;
            if (edns.is_well_formed() ? has_edns != (edns.size >= 0) : has_edns && edns.size < 0)
                return failed("the reply has an OPT RR where it should not, or has none", {});
            head = wire::print(static_cast<wire::Rcode>(rcode));
            if (message->authoritative()) head += " aa";
            if (message->truncated()) head += " tc";
        }
        if (head != head_) return failed(head, shown);
        std::vector<Shown> left = shown;
        for (const Expected& expected : expected_) {
            if (expected.any > 0) {
                const auto count = std::erase_if(
                    left, [&](const Shown& one) { return one.section == expected.section; });
                if (count != expected.any) return failed(head, shown);
                continue;
            }
            const auto found = std::ranges::find_if(
                left, [&](const Shown& one) { return matches(expected, one); });
            if (found == left.end()) return failed(head, shown);
            left.erase(found);
        }
        if (!left.empty()) failed(head, shown);
    }

    static void show_options(std::span<const std::uint8_t> rdata, std::vector<Shown>& shown) {
        wire::Reader options(rdata);
        while (options.left() > 0) {
            const std::uint16_t code = options.u16();
            auto octets = options.take(options.u16());
            if (code != wire::extended_error_option) {
                shown.push_back({"option", std::to_string(code), "", "", hex(octets)});
                continue;
            }
            wire::Reader error(octets);
            const std::uint16_t info = error.u16();
            octets = error.take(error.left());
            shown.push_back({"error",
                             std::to_string(info),
                             "",
                             "",
                             {reinterpret_cast<const char*>(octets.data()), octets.size()}});
        }
    }

    void failed(const std::string& head, const std::vector<Shown>& shown) {
        ++failures_;
        std::printf("%s:%d: expected\n    %s\n", file_.c_str(), query_line_, head_.c_str());
        for (const Expected& one : expected_) std::printf("        %s\n", one.whole.c_str());
        std::printf("  but got\n    %s\n", head.c_str());
        for (const Shown& one : shown)
            std::printf("        %s %s %s %s %s\n", one.section.c_str(), one.owner.c_str(),
                        one.ttl.c_str(), one.type.c_str(), one.rdata.c_str());
    }

    struct Set {
        std::uint32_t ttl = 0;
        std::vector<tree::Rdata> records;
    };
    std::string file_;
    int line_ = 0, query_line_ = 0, questions_ = 0, failures_ = 0;
    struct ZoneText {
        Name origin;
        bool is_loaded = true;
        std::map<std::pair<Name, RrType>, Set> rrsets;
    };
    std::vector<ZoneText> zones_;
    Question question_;
    std::string head_;
    std::vector<Expected> expected_;
    bool open_ = false, in_answer_ = false, asked_ = false;
};

}  // namespace

int main(int argc, char** argv) {
    int questions = 0, failures = 0;
    for (int i = 1; i < argc; ++i) {
        Scenario scenario(argv[i]);
        failures += scenario.run();
        questions += scenario.questions();
    }
    std::printf("%d scenarios, %d questions, %d answered otherwise\n", argc - 1, questions,
                failures);
    return failures == 0 && argc > 1 ? 0 : 1;
}
