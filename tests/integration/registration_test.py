"""What is registered is answered, at once and exactly."""

import concurrent.futures
import random
import socket
import subprocess

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

from harness import NAMESPACE, WEB, instances, make_service, quoted, texts

NAME = "web.demo.internal"


def put_instance(api, number: int, path=WEB, **fields) -> str:
    address = f"192.0.2.{number}"
    api.put(f"{path}/instances/i-{number}", {"ipv4": address, "port": 8080} | fields)
    return address


def many(function, count=1000, threads=16) -> list:
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda _: function(), range(count)))


def authority_soa(message):
    (rrset,) = [r for r in message.authority if r.rdtype == dns.rdatatype.SOA]
    return rrset


def test_a_returned_registration_shows_in_1000_queries_from_fresh_sockets_at_once(dnsd):
    make_service(dnsd.api)
    address = put_instance(dnsd.api, 1)
    assert many(lambda: dnsd.addresses(NAME)) == [[address]] * 1000
    second = put_instance(dnsd.api, 2)
    assert many(lambda: dnsd.addresses(NAME)) == [sorted([address, second])] * 1000


def test_a_returned_deregistration_shows_in_1000_queries_from_fresh_sockets_at_once(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    stays = put_instance(dnsd.api, 2)
    dnsd.api.delete(f"{WEB}/instances/i-1")
    assert many(lambda: dnsd.addresses(NAME)) == [[stays]] * 1000


def test_every_record_of_a_service_is_answered(dnsd):
    make_service(dnsd.api, {"ttl": {"A": 1, "AAAA": 2, "SRV": 3}})
    dnsd.api.put(f"{WEB}/instances/i-1", {"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "port": 8080,
                                          "weight": 7, "priority": 2})
    for tcp in (False, True):
        assert texts(dnsd.query(NAME, "A", tcp=tcp), "A") == ["192.0.2.1"]
        assert texts(dnsd.query(NAME, "AAAA", tcp=tcp), "AAAA") == ["2001:db8::1"]
        for owner in (NAME, "_web._tcp.demo.internal"):
            answer = dnsd.query(owner, "SRV", tcp=tcp)
            assert texts(answer, "SRV") == ["2 7 8080 i-1.web.demo.internal."]
            additional = {(str(r.name), r.rdtype, str(r[0])) for r in answer.additional}
            assert additional == {("i-1.web.demo.internal.", dns.rdatatype.A, "192.0.2.1"),
                                  ("i-1.web.demo.internal.", dns.rdatatype.AAAA, "2001:db8::1")}
    assert [dnsd.query(NAME, t).answer[0].ttl for t in ("A", "AAAA", "SRV")] == [1, 2, 3]
    assert dnsd.addresses("i-1.web.demo.internal") == ["192.0.2.1"]
    answer = dnsd.query(NAME, "A")
    assert answer.flags & dns.flags.AA and not answer.flags & dns.flags.RA


def test_the_apex_has_its_soa_and_ns(dnsd):
    make_service(dnsd.api)
    assert texts(dnsd.query("demo.internal", "NS"), "NS") == ["ns.dns.demo.internal."]
    (soa,) = dnsd.query("demo.internal", "SOA").answer[0]
    assert str(soa.mname) == "ns.dns.demo.internal."
    assert str(soa.rname) == "hostmaster.demo.internal."
    assert dnsd.addresses("ns.dns.demo.internal") == ["127.0.0.1"]
    assert dnsd.addresses("api.demo.internal") == ["127.0.0.1"]
    assert dnsd.addresses("data-api.demo.internal") == ["127.0.0.1"]


@pytest.mark.parametrize("owner, rr_type", [
    (NAME, "AAAA"),                      # a type that is not there
    (NAME, "TXT"),
    ("empty.demo.internal", "A"),        # a service without instances
    ("_tcp.demo.internal", "A"),         # an empty non-terminal
    ("demo.internal", "A"),              # the apex
])
def test_a_name_that_exists_without_the_type_is_nodata_with_the_soa(dnsd, owner, rr_type):
    make_service(dnsd.api)
    make_service(dnsd.api, name="empty")
    put_instance(dnsd.api, 1)
    answer = dnsd.query(owner, rr_type)
    assert answer.rcode() == dns.rcode.NOERROR and not answer.answer
    soa = authority_soa(answer)
    assert soa.ttl == 2 and soa[0].minimum == 2


@pytest.mark.parametrize("owner", ["nope.demo.internal", "a.nope.demo.internal",
                                   "i-9.web.demo.internal", "_web._udp.demo.internal"])
def test_a_name_that_does_not_exist_is_nxdomain_with_the_soa(dnsd, owner):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    answer = dnsd.query(owner, "A")
    assert answer.rcode() == dns.rcode.NXDOMAIN and not answer.answer
    assert authority_soa(answer).ttl == 2


def test_names_outside_every_zone_are_refused(dnsd):
    make_service(dnsd.api)
    assert dnsd.query("example.org", "A").rcode() == dns.rcode.REFUSED


def test_dig_reads_all_of_it(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)

    def dig(*arguments) -> str:
        host, port = dnsd.dns[0]
        command = ["dig", "+norec", f"@{host}", "-p", str(port), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert dig("+short", NAME, "A") == "192.0.2.1\n"
    assert dig("+short", "+tcp", NAME, "A") == "192.0.2.1\n"
    assert dig("+short", NAME, "SRV") == "0 1 8080 i-1.web.demo.internal.\n"
    nodata, nxdomain = dig(NAME, "AAAA"), dig("nope.demo.internal")
    assert "status: NOERROR" in nodata and "ANSWER: 0" in nodata and "\tSOA\t" in nodata
    assert "status: NXDOMAIN" in nxdomain and "\tSOA\t" in nxdomain
    assert "WARNING" not in nodata + nxdomain + dig(NAME)


def test_answers_mirror_the_spelling_of_the_question(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    generator = random.Random(20)
    for _ in range(100):
        spelled = "".join(generator.choice((c.lower(), c.upper())) for c in NAME)
        answer = dnsd.query(spelled, "A")
        assert answer.question[0].name.to_text() == spelled + "."
        assert answer.answer[0].name.to_text() == spelled + "."


def test_an_answer_too_large_is_cut_at_whole_records_and_whole_over_tcp(dnsd):
    make_service(dnsd.api, {"max_answers": 200, "routing_policy": "simple"})
    whole = {put_instance(dnsd.api, number) for number in range(1, 101)}
    for payload, most in ((None, 512), (600, 600), (1232, 1232), (65535, 1232)):
        question = dns.message.make_query(NAME, "A", payload=payload, use_edns=payload is not None)
        address, port = dnsd.dns[0]
        answer = dns.query.udp(question, address, 10, port)
        assert answer.flags & dns.flags.TC
        size = len(answer.to_wire())
        # One more record of 16 octets would not have fitted.
        assert most - 16 < size <= most
        assert set(texts(answer, "A")) < whole
    over_tcp = dnsd.query(NAME, "A", tcp=True)
    assert not over_tcp.flags & dns.flags.TC and set(texts(over_tcp, "A")) == whole


def test_max_answers_bounds_udp_without_tc_and_tcp_holds_all(dnsd):
    make_service(dnsd.api, {"max_answers": 4})
    whole = {put_instance(dnsd.api, number) for number in range(1, 13)}
    seen = set()
    for _ in range(200):
        answer = dnsd.query(NAME, "A")
        drawn = texts(answer, "A")
        assert len(set(drawn)) == 4 and not answer.flags & dns.flags.TC
        seen |= set(drawn)
    assert seen == whole
    assert set(texts(dnsd.query(NAME, "A", tcp=True), "A")) == whole


def test_a_weighted_service_answers_one_by_weight(dnsd):
    make_service(dnsd.api, {"routing_policy": "weighted"})
    heavy, light, spare = (put_instance(dnsd.api, n, weight=w) for n, w in ((1, 3), (2, 1), (3, 0)))
    drawn = [address for answer in many(lambda: dnsd.addresses(NAME), 2000) for address in answer]
    assert len(drawn) == 2000 and spare not in drawn
    # 1,500 are expected; ten standard deviations are 194.
    assert 1300 < drawn.count(heavy) < 1700 and light in drawn


def test_a_failover_service_answers_the_first_priority_group(dnsd):
    make_service(dnsd.api, {"routing_policy": "failover", "check": {"type": "custom", "initial_status": "healthy"}})
    first = put_instance(dnsd.api, 1, priority=1)
    second = put_instance(dnsd.api, 2, priority=2)
    assert dnsd.addresses(NAME) == [first]
    dnsd.api.put(f"{WEB}/instances/i-1/health", {"status": "unhealthy"})
    assert dnsd.addresses(NAME) == [second]
    dnsd.api.put(f"{WEB}/instances/i-1/health", {"status": "healthy"})
    assert dnsd.addresses(NAME) == [first]


def test_disabled_instances_are_listed_and_never_answered(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1, disabled=True)
    assert list(instances(dnsd.api)) == ["i-1"]
    assert dnsd.addresses(NAME) == [] and dnsd.query(NAME, "SRV").answer == []


def test_the_same_registration_again_moves_no_revision(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    before = dnsd.api.get(f"{WEB}/instances")
    put_instance(dnsd.api, 1)
    make_service(dnsd.api)
    assert dnsd.api.get(f"{WEB}/instances") == before


def test_a_whole_set_keeps_the_unchanged_and_drains_the_missing(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    put_instance(dnsd.api, 2)
    kept = instances(dnsd.api)["i-1"]
    wanted = [{"id": f"i-{n}", "ipv4": f"192.0.2.{n}", "port": 8080} for n in (1, 3)]
    dnsd.api.put(f"{WEB}/instances", {"instances": wanted})
    after = instances(dnsd.api)
    assert after["i-1"] == kept
    assert after["i-2"]["status"] == "draining" and after["i-3"]["status"] == "unknown"
    assert dnsd.addresses(NAME) == ["192.0.2.1", "192.0.2.3"]


def test_one_bad_element_refuses_the_whole_set(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    before = dnsd.api.get(f"{WEB}/instances")
    wanted = [{"id": f"i-{n}", "ipv4": f"192.0.2.{n}", "port": 8080} for n in range(1, 6)]
    wanted[3]["port"] = 70000
    refused = dnsd.api.request("PUT", f"{WEB}/instances", {"instances": wanted})
    assert refused.status in (400, 422)
    assert [e["pointer"] for e in refused.json["errors"]] == ["/instances/3/port"]
    assert dnsd.api.get(f"{WEB}/instances") == before


def test_created_is_201_replaced_200_and_the_resource_comes_back(dnsd):
    created = dnsd.api.request("PUT", NAMESPACE, {"ttl": 7})
    assert created.status == 201 and created.json["ttl"] == 7
    replaced = dnsd.api.request("PUT", NAMESPACE, {"ttl": 8})
    assert replaced.status == 200 and replaced.json["ttl"] == 8
    assert replaced.headers["ETag"] == f'"{replaced.json["revision"]}"'


def test_if_match_guards_every_resource(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    for path, body in ((NAMESPACE, {"ttl": 9}), (WEB, {"ttl": 9}),
                       (f"{WEB}/instances/i-1", {"ipv4": "192.0.2.9", "port": 1})):
        etag = dnsd.api.request("GET", path).headers["ETag"]
        stale = dnsd.api.request("PUT", path, body, headers={"If-Match": '"999999"'})
        assert stale.status == 412
        assert dnsd.api.request("PUT", path, body, headers={"If-Match": etag}).status == 200
        assert dnsd.api.request("DELETE", path, headers={"If-Match": etag}).status == 412


def test_deleting_what_is_not_there_is_404_and_in_use_409(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    for path in (f"{WEB}/instances/i-9", f"{NAMESPACE}/services/nope", "/v1/namespaces/nope.internal"):
        assert dnsd.api.request("DELETE", path).status == 404
        assert dnsd.api.request("DELETE", f"{path}?if_exists=true").status == 200
    for path in (WEB, NAMESPACE):
        assert dnsd.api.request("DELETE", path).status == 409


def test_ids_that_are_no_labels_get_one_and_keep_their_path(dnsd):
    make_service(dnsd.api)
    for identity in ("Task/1", "a.b", "x@y:1", "x" * 64, "-"):
        path = f"{WEB}/instances/{quoted(identity)}"
        created = dnsd.api.put(path, {"ipv4": "192.0.2.1", "port": 80})
        assert created["id"] == identity
        assert dnsd.api.get(path)["id"] == identity
        assert dnsd.addresses(created["dns_name"]) == ["192.0.2.1"]


def test_an_http_namespace_is_found_through_the_api_alone(dnsd):
    dnsd.api.put("/v1/namespaces/plain", {"dns": False})
    dnsd.api.put("/v1/namespaces/plain/services/web", {})
    dnsd.api.put("/v1/namespaces/plain/services/web/instances/i-1", {"ipv4": "192.0.2.1", "port": 80})
    assert list(instances(dnsd.api, "/v1/namespaces/plain/services/web")) == ["i-1"]
    assert dnsd.query("web.plain", "A").rcode() == dns.rcode.REFUSED


def test_lists_are_paged_and_filtered(dnsd):
    make_service(dnsd.api)
    for number in range(1, 8):
        put_instance(dnsd.api, number, attributes={"az": "ab"[number % 2]})
    seen, token = [], ""
    while True:
        page = dnsd.api.get(f"{WEB}/instances?limit=3{token}")
        seen += [instance["id"] for instance in page["instances"]]
        if not page.get("next_page_token"):
            break
        token = f"&page_token={page['next_page_token']}"
    assert seen == [f"i-{n}" for n in range(1, 8)]
    in_a = dnsd.api.get(f"{WEB}/instances?attributes.az=a")["instances"]
    assert [instance["id"] for instance in in_a] == ["i-2", "i-4", "i-6"]
    assert dnsd.api.get(f"{WEB}/instances?status=unhealthy")["instances"] == []


def test_a_wildcard_listener_answers_from_the_address_that_was_asked(make_dnsd):
    dnsd = make_dnsd(settings={"dns.listen": ["0.0.0.0:0"], "advertise": ["192.0.2.53"]}).start()
    make_service(dnsd.api)
    address = put_instance(dnsd.api, 1)
    _, port = dnsd.dns[0]
    for asked in ("127.0.0.1", "127.0.0.2", "127.1.2.3"):
        # dnspython refuses a datagram that comes from elsewhere.
        assert dnsd.addresses(NAME, server=(asked, port)) == [address]
    assert dnsd.addresses("ns.dns.demo.internal", server=("127.0.0.1", port)) == ["192.0.2.53"]


def test_ipv6_and_several_listeners(make_dnsd):
    dnsd = make_dnsd(settings={"dns.listen": ["127.0.0.1:0", "[::1]:0"]}).start()
    make_service(dnsd.api)
    address = put_instance(dnsd.api, 1)
    assert len(dnsd.dns) == 2
    for server in dnsd.dns:
        for tcp in (False, True):
            assert dnsd.addresses(NAME, server=server, tcp=tcp) == [address]


def test_what_we_do_not_serve_has_its_rcode(dnsd):
    make_service(dnsd.api)
    address, port = dnsd.dns[0]

    def rcode(question) -> str:
        return dns.rcode.to_text(dns.query.udp(question, address, 10, port).rcode())

    for opcode in (1, 2):
        question = dns.message.make_query(NAME, "A")
        question.set_opcode(opcode)
        assert rcode(question) == "NOTIMP", opcode
    assert rcode(dns.message.make_query(NAME, "A", rdclass="HS")) == "REFUSED"
    of_version_1 = dns.message.make_query(NAME, "A", use_edns=0)
    of_version_1.ednsflags |= 1 << 16
    badvers = dns.query.udp(of_version_1, address, 10, port)
    assert badvers.rcode() == dns.rcode.BADVERS and badvers.edns == 0
    chaos = dns.query.udp(dns.message.make_query("version.server", "TXT", "CH"), address, 10, port)
    assert chaos.answer[0].rdclass == dns.rdataclass.CH


def test_any_is_answered_small(dnsd):
    make_service(dnsd.api)
    put_instance(dnsd.api, 1)
    answer = dnsd.query(NAME, "ANY")
    assert answer.rcode() == dns.rcode.NOERROR and len(answer.answer) == 1


def test_tcp_connections_serve_many_questions_in_any_order(dnsd):
    make_service(dnsd.api)
    addresses = {number: put_instance(dnsd.api, number) for number in range(1, 51)}
    with socket.create_connection(dnsd.dns[0], timeout=10) as connection:
        for number in addresses:
            octets = dns.message.make_query(f"i-{number}.{NAME}", "A", id=number).to_wire()
            connection.sendall(len(octets).to_bytes(2, "big") + octets)
        for _ in addresses:
            answer, _ = dns.query.receive_tcp(connection)
            assert texts(answer, "A") == [addresses[answer.id]]
