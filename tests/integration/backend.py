"""An HTTP server to be checked and found: backend.py NAME ADDRESS PORT

It prints its port once it listens. A number on stdin becomes the status of /health, confirmed by
"done"; every other path answers NAME. Connections may be kept, and each request is served at once.
"""

import http.server
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = ""
    health_status = 200

    def do_GET(self) -> None:
        status = Handler.health_status if self.path == "/health" else 200
        body = f"{Handler.name}\n".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """A probe has seen enough when it has the status, and resets."""


def main() -> None:
    Handler.name, address, port = sys.argv[1:]
    server = Server((address, int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    for line in sys.stdin:
        Handler.health_status = int(line)
        print("done", flush=True)


if __name__ == "__main__":
    main()
