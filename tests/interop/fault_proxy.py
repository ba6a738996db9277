"""A proxy in front of an MLflow server that does what networks and servers do on bad days.

    with FaultProxy("http://127.0.0.1:5000") as proxy:
        proxy.fault("POST", "runs/create", Drop())     # carried out, but nobody hears of it
        ...
        proxy.seen                                     # every request, in order

A fault holds for one matching request, or for `times` of them; without faults requests pass through. Every request is
noted with its headers, so that tests can say what must never be sent."""
import http.client
import http.server
import socket
import ssl
import struct
import threading
import time
import urllib.parse

from peers import free_port


class Pass:
    """Passes the request on and the answer back."""

    def answer(self, handler, proxy, body):
        reply = proxy.forward(handler, body)
        proxy.reply(handler, *reply)


class Drop(Pass):
    """The server carries it out; the answer is lost, the connection closed."""

    def answer(self, handler, proxy, body):
        proxy.forward(handler, body)
        proxy.cut(handler, is_reset=False)


class Unheard(Pass):
    """The connection ends before the server hears of it."""

    def answer(self, handler, proxy, body):
        proxy.cut(handler, is_reset=False)


class ResetMidBody(Pass):
    """Half of the answer, then a reset."""

    def answer(self, handler, proxy, body):
        status, headers, data = proxy.forward(handler, body)
        handler.send_response(status)
        handler.send_header("Content-Type", headers.get("Content-Type", "application/json"))
        handler.send_header("Content-Length", str(max(len(data), 2)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        handler.wfile.flush()
        time.sleep(0.05)
        proxy.cut(handler, is_reset=True)


class Say(Pass):
    """An answer of our own; the server hears nothing."""

    def __init__(self, status, body=b"", headers=None, content_type="application/json"):
        self.status, self.body, self.headers = status, body if isinstance(body, bytes) else body.encode(), headers or {}
        self.content_type = content_type

    def answer(self, handler, proxy, body):
        proxy.reply(handler, self.status, {"Content-Type": self.content_type, **self.headers}, self.body)


class SayAfter(Say):
    """The server carries it out and something else is answered."""

    def answer(self, handler, proxy, body):
        proxy.forward(handler, body)
        super().answer(handler, proxy, body)


class Trickle(Pass):
    """A byte now and then (slow loris), for at most `seconds`."""

    def __init__(self, pause=0.2, seconds=30):
        self.pause, self.seconds = pause, seconds

    def answer(self, handler, proxy, body):
        end = time.monotonic() + self.seconds
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10000:
            if time.monotonic() > end or proxy.is_closing:
                break
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(self.pause)
        proxy.cut(handler, is_reset=False)


class Endless(Pass):
    """A body that never ends, without a length."""

    def answer(self, handler, proxy, body):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        for _ in range(64):
            handler.wfile.write(b" " * (1 << 20))
        proxy.cut(handler, is_reset=False)


class Request:
    def __init__(self, handler, body):
        self.method, self.path, self.headers, self.body = handler.command, handler.path, handler.headers, body
        self.client = handler.client_address

    def __repr__(self):
        return f"{self.method} {self.path}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle_any(self):
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self, body)
        fault = proxy.note(request)
        try:
            fault.answer(self, proxy, body)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

    def log_message(self, *args):
        pass


class Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *words):
        super().__init__(*words)
        self.lock, self.open_sockets = threading.Lock(), set()

    def process_request(self, request, client_address):
        with self.lock:
            self.open_sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.lock:
            self.open_sockets.discard(request)
        super().shutdown_request(request)

    def hang_up(self):
        """On all who are connected: a thread that waits for a next request would answer it."""
        with self.lock:
            for connection in self.open_sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def handle_error(self, request, client_address):
        pass


class FaultProxy:
    def __init__(self, upstream, prefix="", certificate=None, port=0):
        self.upstream = urllib.parse.urlsplit(upstream)
        self.prefix, self.certificate = prefix, certificate
        self.lock, self.faults, self.seen = threading.Lock(), [], []
        self.is_closing = False
        self.port = port or free_port()  # which stays its own while it is away
        self.server = None

    # --- life ---

    def start(self):
        self.server = Listener(("127.0.0.1", self.port), Handler)
        self.server.proxy = self
        self.port = self.server.server_address[1]
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.is_closing = False
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        """Until the next start connections are refused: an outage, or a restart."""
        self.is_closing = True
        self.server.shutdown()
        self.server.server_close()
        self.server.hang_up()
        self.thread.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def url(self):
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}{self.prefix}"

    # --- what tests say ---

    def fault(self, method, path, fault, times=1, after=0):
        """The next `times` requests of that method (or of any, "*") whose path holds `path`, after `after` of them."""
        with self.lock:
            self.faults.append([method, path, fault, times, after])

    def clear(self):
        with self.lock:
            self.faults.clear()
            self.seen.clear()

    def count(self, method, path):
        with self.lock:
            return sum(1 for r in self.seen if method in (r.method, "*") and path in r.path)

    # --- what happens ---

    def note(self, request):
        with self.lock:
            self.seen.append(request)
            for rule in self.faults:
                method, path, fault, times, after = rule
                if method not in (request.method, "*") or path not in request.path or times == 0:
                    continue
                if after > 0:
                    rule[4] -= 1
                    continue
                rule[3] -= 1
                return fault
        return Pass()

    def forward(self, handler, body):
        connection = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=300)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in ("host", "connection", "expect")}
        headers["Host"] = self.upstream.netloc
        path = handler.path[len(self.prefix):] if handler.path.startswith(self.prefix) else handler.path
        try:
            connection.request(handler.command, self.upstream.path + path, body if body else None, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        except OSError as why:
            return 502, {"Content-Type": "text/plain"}, str(why).encode()
        finally:
            connection.close()

    def reply(self, handler, status, headers, data):
        handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                handler.send_header(name, value)
        is_head = handler.command == "HEAD"
        handler.send_header("Content-Length", headers.get("Content-Length", "0") if is_head else str(len(data)))
        handler.end_headers()
        if not is_head:
            handler.wfile.write(data)
            handler.wfile.flush()

    def cut(self, handler, is_reset):
        if is_reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        try:
            if not is_reset:
                handler.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        handler.connection.close()
