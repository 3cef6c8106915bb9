"""A gRPC server with the health service, to be checked: grpc_backend.py

It prints its port once it listens. A line on stdin is what it says from now on, confirmed by "done":
{"": 1, "web.v1.Front": 2} is a status for each service, null a server without a health service. Line
by line it says on stdout what it was asked, once "asked" comes on stdin.
"""

import concurrent.futures
import json
import sys

import grpc


class Health(grpc.GenericRpcHandler):
    statuses: dict | None = {"": 1}
    asked: list = []

    def service(self, details):
        if self.statuses is None or details.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(self.check)

    def check(self, request: bytes, context) -> bytes:
        # HealthCheckRequest { string service = 1; }: short enough for a length of one octet.
        service = request[2:].decode() if request else ""
        self.asked.append(service)
        if service not in self.statuses:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        status = self.statuses[service]
        return bytes([0x08, status]) if status else b""


def main() -> None:
    health = Health()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[health])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    for line in sys.stdin:
        if line == "asked\n":
            print(json.dumps(health.asked), flush=True)
        else:
            health.statuses = json.loads(line)
            print("done", flush=True)


if __name__ == "__main__":
    main()
