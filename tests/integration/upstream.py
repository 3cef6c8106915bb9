"""A resolver that dnsd asks, made of dnspython: it answers from a table, counts what it was asked,
and is silent, slow, lying or cut off as the test says."""

import collections
import dataclasses
import random
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

SOA = "ns.example.org. hostmaster.example.org. 1 3600 600 86400 {minimum}"


@dataclasses.dataclass
class Asked:
    name: str  # as it was spelled
    rr_type: str
    transport: str
    id: int
    port: int
    query: dns.message.Message


class Upstream:
    """Listens for UDP and TCP on one port of a loopback address."""

    def __init__(self, address="127.0.0.1", port=0):
        self.records: dict[tuple[str, str], list[str]] = {}
        self.ttl, self.negative_ttl, self.rcodes = 60, 60, {}
        self.asked: list[Asked] = []
        # What becomes of a reply on its way: None is silence, bytes are sent, others are encoded.
        self.distort: Callable[[dns.message.Message, Asked], object] = lambda reply, asked: reply
        self.hold: threading.Event | None = None  # while it is clear, nothing is answered
        upstream = self

        class OverUdp(socketserver.BaseRequestHandler):
            def handle(self):
                octets, sock = self.request
                for reply in upstream.answer(octets, "udp", self.client_address[1]):
                    sock.sendto(reply, self.client_address)

        class OverTcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(2)) == 2:
                    octets = self.rfile.read(struct.unpack("!H", head)[0])
                    for reply in upstream.answer(octets, "tcp", self.client_address[1]):
                        self.wfile.write(struct.pack("!H", len(reply)) + reply)

        class Udp(socketserver.ThreadingUDPServer):
            daemon_threads = True
            max_packet_size = 65535

        class Tcp(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

        for _ in range(16):  # both want the same port
            self.udp = Udp((address, port), OverUdp)
            try:
                self.tcp = Tcp(self.udp.server_address, OverTcp)
                break
            except OSError:
                self.udp.server_close()
        self.address = self.udp.server_address
        self.servers = [self.udp, self.tcp]
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def __str__(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def close(self) -> None:
        if self.hold is not None:
            self.hold.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.servers = []

    def add(self, name: str, rr_type: str, *data: str) -> "Upstream":
        self.records[name.lower(), rr_type] = list(data)
        return self

    def count(self, name: str | None = None, rr_type: str | None = None) -> int:
        return sum((name is None or one.name.lower() == name) and (rr_type is None or one.rr_type == rr_type)
                   for one in list(self.asked))

    def answer(self, octets: bytes, transport: str, port: int) -> list[bytes]:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        asked = Asked(question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype),
                      transport, query.id, port, query)
        self.asked.append(asked)
        if self.hold is not None:
            self.hold.wait()
        reply = dns.message.make_response(query, recursion_available=True)
        self.fill(reply, question)
        distorted = self.distort(reply, asked)
        if distorted is None:
            return []
        if not isinstance(distorted, list):
            distorted = [distorted]
        room = 65535 if transport == "tcp" else max(512, query.payload)
        return [one if isinstance(one, bytes) else encoded(one, room) for one in distorted]

    def fill(self, reply: dns.message.Message, question) -> None:
        name, rr_type = question.name, dns.rdatatype.to_text(question.rdtype)
        for _ in range(9):
            text = name.to_text(omit_final_dot=True).lower()
            if text in self.rcodes:
                reply.set_rcode(self.rcodes[text])
                return
            if data := self.records.get((text, rr_type)):
                reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", rr_type, *data))
                return
            if alias := self.records.get((text, "CNAME")):
                reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "CNAME", *alias))
                name = dns.name.from_text(alias[0])
                continue
            break
        exists = any(known == text or known.endswith("." + text) for known, _ in self.records)
        reply.set_rcode(dns.rcode.NOERROR if exists else dns.rcode.NXDOMAIN)
        zone = ".".join(text.rstrip(".").split(".")[-2:]) + "."
        reply.authority.append(dns.rrset.from_text(
            zone, self.ttl, "IN", "SOA", SOA.format(minimum=self.negative_ttl)))


def without_records(message: dns.message.Message) -> dns.message.Message:
    """The header, the question and the OPT record."""
    bare = dns.message.from_wire(message.to_wire(max_size=65535), question_only=True)
    bare.flags = message.flags
    if message.edns >= 0:
        bare.use_edns(message.edns, message.ednsflags, message.payload)
    return bare


def encoded(message: dns.message.Message, room: int) -> bytes:
    try:
        return message.to_wire(max_size=room)
    except dns.exception.TooBig:
        cut = without_records(message)
        cut.flags |= dns.flags.TC
        return cut.to_wire()
