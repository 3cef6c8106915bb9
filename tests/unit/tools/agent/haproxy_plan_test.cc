#include "tools/agent/haproxy_plan.h"

#include <doctest/doctest.h>

using namespace dnsd::agent;

namespace {

const std::string heads =
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
    "srv_iweight srv_port\n";

Members members_of(std::initializer_list<const char*> ids) {
    Members members;
    for (const char* id : ids) members.used.push_back({id, "192.0.2.1", 80, 10});
    return members;
}

HaServer server(const char* name, unsigned admin = 0) {
    return {"web", name, "192.0.2.1", 80, 2, admin, 10};
}

std::vector<std::string> plan(const std::vector<HaServer>& present, const Members& members,
                              const std::set<std::string>& overdue = {},
                              const std::string& server_options = "") {
    std::vector<std::string> out;
    for (const HaCommand& command : plan_servers("web", present, members, overdue, server_options))
        out.push_back(command.text);
    return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("servers are read by the heads of their columns") {
    const auto servers = parse_servers_state(heads + "3 web 1 i-1 ::1 0 9 100 100 8080\n\n");
    REQUIRE(servers);
    REQUIRE(servers->size() == 1);
    CHECK(servers->at(0) == HaServer{"web", "i-1", "::1", 8080, 0, 9, 100});
    CHECK(servers->at(0).is_in_maintenance());
    CHECK(servers->at(0).drains());
    CHECK(!servers->at(0).is_seen_down());
    CHECK(parse_servers_state(heads)->empty());
}

TEST_CASE("what is no state of servers is an error") {
    for (const std::string& reply :
         {std::string(), std::string("\n"), std::string("Can't find backend.\n"),
          std::string("1\n# be_name\n"), heads + "3 web 1 i-1\n",
          heads + "3 web 1 i-1 ::1 0 0 100 100 99999\n", heads + "3 web 1 i-1 ::1 x 0 1 1 80\n"})
        CHECK_MESSAGE(!parse_servers_state(reply), reply);
}

TEST_CASE("a new server starts in maintenance and is then made ready; its checks are enabled") {
    CHECK(plan({}, members_of({"a"}), {}, "check inter 1s") ==
          Texts{"add server web/a 192.0.2.1:80 weight 10 check inter 1s", "enable health web/a",
                "set server web/a state ready"});
    CHECK(plan({server("a")}, members_of({"a"})).empty());
}

TEST_CASE("one that is there is only changed where it differs") {
    Members members = members_of({"a"});
    members.used[0].address = "192.0.2.2";
    members.used[0].weight = 1000;
    CHECK(plan({server("a", HaServer::ForcedMaintenance)}, members) ==
          Texts{"set server web/a addr 192.0.2.2 port 80", "set server web/a weight 256",
                "set server web/a state ready"});
    CHECK(plan({server("a", HaServer::ForcedDrain)}, members_of({"a"})) ==
          Texts{"set server web/a state ready"});
}

TEST_CASE(
    "who died goes first and keeps its sessions for a while, who drains until they end, who came "
    "is there before") {
    Members members = members_of({"new"});
    members.dead = {"dead"};
    members.draining = {"slow"};
    CHECK(plan({server("slow"), server("gone"), server("dead")}, members) ==
          Texts{"set server web/dead state maint", "del server web/dead",
                "add server web/new 192.0.2.1:80 weight 10", "set server web/new state ready",
                "set server web/slow state drain", "set server web/gone state maint",
                "del server web/gone"});
    CHECK(plan({server("slow", HaServer::ForcedDrain)},
               [] {
                   Members drains;
                   drains.draining = {"slow"};
                   return drains;
               }())
              .empty());
    CHECK(plan({server("gone", HaServer::ForcedMaintenance)}, {}) == Texts{"del server web/gone"});
}

TEST_CASE("who has been dead for long loses its sessions") {
    Members members;
    members.dead = {"dead", "just"};
    CHECK(plan({server("dead", HaServer::ForcedMaintenance), server("just")}, members, {"dead"}) ==
          Texts{"shutdown sessions server web/dead", "del server web/dead",
                "set server web/just state maint", "del server web/just"});
}

TEST_CASE("ids that HAProxy does not allow get names of their own") {
    CHECK(server_name("i-1.a_b:c") == "i-1.a_b:c");
    for (const char* id : {"a/b", "a b", "a;quit", "", "#1"}) {
        CHECK(server_name(id).find_first_of(" /;#\n") == std::string::npos);
        CHECK(server_name(id) != id);
    }
    CHECK(server_name("a/b") != server_name("a b"));
    CHECK(server_name(std::string(500, 'a')).size() < 80);
    CHECK(server_name(std::string(500, 'a')) != server_name(std::string(501, 'a')));
}

TEST_CASE("what HAProxy says to commands that it has done, and to others") {
    const HaCommand set{"set server web/a state ready", false}, del{"del server web/a", true};
    CHECK(is_success(set, "\n"));
    CHECK(is_success(set, "New server registered.\n\n"));
    CHECK(!is_success(set, "No such server.\n\n"));
    CHECK(is_success(del, "Server deleted.\n"));
    CHECK(!is_success(del, "Server still has connections attached to it, cannot remove it.\n"));
    CHECK(!is_success(del, ""));
}

TEST_CASE("the file's section has the same servers") {
    CHECK(print_backend("web", {"balance roundrobin"}, members_of({"a", "b/c"}), "check") ==
          "backend web\n    balance roundrobin\n    server a 192.0.2.1:80 weight 10 check\n"
          "    server " +
              server_name("b/c") + " 192.0.2.1:80 weight 10 check\n");
}
