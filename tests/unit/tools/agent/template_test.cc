#include "tools/agent/template.h"

#include <doctest/doctest.h>

using namespace dnsd::agent;

namespace {

const ServiceKey key{"example.org", "web"};

Members two() {
    Members members;
    members.used = {{"a", "192.0.2.1", 80, 1}, {"b", "2001:db8::1", 81, 2}};
    return members;
}

std::string rendered(std::string_view text, const Members& members) {
    const auto out = render_template(text, key, members);
    REQUIRE_MESSAGE(out.has_value(), text);
    return *out;
}

}  // namespace

TEST_CASE("text stays as it is, keys become values, a section is there for each member") {
    CHECK(rendered("a {{ service }} of {{namespace}} } {", two()) == "a web of example.org } {");
    CHECK(rendered("{{#instances}}{{id}}={{address}},{{port}},{{weight}},{{endpoint}};"
                   "{{/instances}}",
                   two()) == "a=192.0.2.1,80,1,192.0.2.1:80;b=2001:db8::1,81,2,[2001:db8::1]:81;");
    CHECK(rendered("{{^instances}}none{{/instances}}!", two()) == "!");
    CHECK(rendered("{{^instances}}no {{service}}{{/instances}}!", {}) == "no web!");
}

TEST_CASE("a line with nothing but a section's tag is left out") {
    CHECK(rendered("x\n  {{#instances}}  \n- {{id}}\n{{/instances}}\ny\n", two()) ==
          "x\n- a\n- b\ny\n");
    CHECK(rendered("{{#instances}}\n{{id}}\n{{/instances}}", two()) == "a\nb\n");
}

TEST_CASE("what means nothing is an error") {
    for (const char* text : {"{{", "{{id}}", "{{nobody}}", "{{#instances}}", "{{/instances}}",
                             "{{#instances}}{{nobody}}{{/instances}}",
                             "{{#instances}}{{#instances}}{{/instances}}{{/instances}}"})
        CHECK_MESSAGE(!render_template(text, key, two()), text);
}

TEST_CASE("the formats that need no template") {
    CHECK(render_nginx(key, two()) ==
          "upstream example_org_web {\n    server 192.0.2.1:80 weight=1;\n"
          "    server [2001:db8::1]:81 weight=2;\n}\n");
    CHECK(render_nginx(key, {}) == "upstream example_org_web {\n    server 127.0.0.1:9 down;\n}\n");
    CHECK(
        render_json(key, {}) ==
        "{\n  \"namespace\": \"example.org\",\n  \"service\": \"web\",\n  \"instances\": []\n}\n");
}
