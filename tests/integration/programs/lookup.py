"""Python: "A name" or "SRV name" on stdin, "ok address-or-target..." or "failed why" on stdout."""

import socket
import sys

import dns.exception
import dns.resolver


def lookup(rr_type: str, name: str) -> list[str]:
    if rr_type == "SRV":
        return [f"{srv.target}:{srv.port}" for srv in dns.resolver.resolve(name, "SRV", lifetime=2)]
    return [found[4][0] for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)]


for line in sys.stdin:
    try:
        print("ok", *lookup(*line.split()), flush=True)
    except (OSError, dns.exception.DNSException) as failure:
        print("failed", str(failure).replace("\n", " "), flush=True)
