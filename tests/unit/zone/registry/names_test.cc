#include "zone/registry/names.h"

#include <doctest/doctest.h>

#include "tests/support/services.h"

using namespace dnsd;
using namespace dnsd::registry;

namespace {

Namespace with(std::initializer_list<Service> services) {
    Namespace within;
    within.spec.name = "example.org";
    for (const Service& one : services)
        within.services.set(one.spec.name, std::make_shared<const Service>(one));
    return within;
}

}  // namespace

TEST_CASE("RFC 2782: a service is also found as _service._proto, unless its name says so itself") {
    Service web = test::service("web"), dotted = test::service("web.prod"),
            own = test::service("_web._tcp");
    CHECK(srv_name(web.spec) == "_web._tcp");
    CHECK(srv_name(dotted.spec) == "_web._tcp.prod");
    CHECK_FALSE(srv_name(own.spec));
    web.spec.protocol = model::Protocol::Udp;
    CHECK(srv_name(web.spec) == "_web._udp");
}

TEST_CASE("a name has one owner, and it is named") {
    const Namespace within =
        with({test::service("web", {test::instance("i-1"), test::instance("I_2")})});
    CHECK(print(*find_owner(within, "web")) == "service web");
    CHECK(print(*find_owner(within, "_web._tcp")) == "service web");
    CHECK(print(*find_owner(within, "i-1.web")) == "instance i-1 of service web");
    CHECK(print(*find_owner(within, instance_name("web", "I_2"))) == "instance I_2 of service web");
    CHECK_FALSE(find_owner(within, "i-2.web"));
    CHECK_FALSE(find_owner(within, "_web._udp"));
    CHECK_FALSE(find_owner(within, "api"));
}

TEST_CASE("names stand below their namespace, the root too, and keep within the limits of DNS") {
    CHECK(full_name("web", "example.org") == "web.example.org");
    CHECK(full_name("web", ".") == "web");
    CHECK(owner_name("i-1.web", *wire::Name::parse("example.org"))->print() ==
          "i-1.web.example.org");
    CHECK(owner_name("web", wire::Name())->print() == "web");
    CHECK_FALSE(owner_name(std::string(64, 'a'), wire::Name()));
}
