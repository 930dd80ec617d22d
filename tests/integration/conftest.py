"""A real HTTP server whose every answer is scripted, down to single bytes; a way to cut an engine off."""

import json
import os
import shutil
import socket
import socketserver
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

ENGINE = (os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock").removeprefix("unix://")


class Exchange(BaseHTTPRequestHandler):
    """One request; scripts write the answer with the methods below. Connections are not kept."""

    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, *_args):
        pass

    def handle_any(self):
        length = int(self.headers.get("content-length") or 0)
        self.body = json.loads(self.rfile.read(length)) if length else None
        self.close_connection = True
        script = self.server.owner.next_script(self)
        script(self)

    do_GET = handle_any  # noqa: N815 - the names that http.server calls
    do_POST = handle_any  # noqa: N815

    def raw(self, data):
        self.wfile.write(data)
        self.wfile.flush()

    def head(self, status, kind, *, length=None, **headers):
        lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        lines += [] if length is None else [f"content-length: {length}"]
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode())

    def reply(self, status, body, kind="application/json", **headers):
        """A whole answer; `body` is text, or anything that JSON can say."""
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.head(status, kind, length=len(data), **headers)
        self.raw(data)

    def begin_stream(self):
        self.head(200, "text/event-stream; charset=utf-8")

    def event(self, data):
        text = data if isinstance(data, str) else json.dumps(data)
        self.raw(f"data: {text}\n\n".encode())

    def delta(self, content=None, *, finish=None, **more):
        """One chunk of a chat completion."""
        part = more if content is None else {"content": content, **more}
        choice = {"index": 0, "delta": part, "finish_reason": finish}
        self.event({"object": "chat.completion.chunk", "model": "served", "choices": [choice]})

    def gone(self):
        """Wait until the client has closed the connection."""
        self.connection.settimeout(self.timeout)
        try:
            return self.connection.recv(1) == b""
        except ConnectionError:
            return True


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 64
    tls = None

    def finish_request(self, request, client_address):
        # In the connection's own thread, because a handshake may fail or take long.
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request, client_address):
        """A client that leaves in the middle is what many tests want."""


class ScriptedServer:
    """Answers chat requests with `scripts` in turn (the last one again and again); keeps the requests."""

    def __init__(self, certificate=None):
        self.scripts = []
        self.other = {}
        self.requests = []
        self.headers = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Exchange)
        self._server.owner = self
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.tls = context
            self._scheme = "https"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def root(self):
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_url(self):
        return self.root + "/v1"

    def next_script(self, exchange):
        if exchange.command == "GET":
            answer = self.other.get(exchange.path)
            if callable(answer):
                return answer
            return lambda e: e.reply(404 if answer is None else 200, answer or {"error": "no such path"})
        with self._lock:
            self.requests.append(exchange.body)
            self.headers.append(exchange.headers)
            return self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]

    def serve(self, *scripts):
        self.scripts = list(scripts)
        return self

    def close(self):
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def make_scripted():
    """Makes `ScriptedServer`s, closed after the test with all their threads."""
    servers = []

    def build(**options):
        servers.append(ScriptedServer(**options))
        return servers[-1]

    yield build
    for server in servers:
        server.close()


@pytest.fixture
def scripted(make_scripted):
    """A `ScriptedServer` that speaks plain HTTP."""
    return make_scripted()


class Proxy:
    """Stands before the engine's socket until it is cut; with a TLS context it listens on a port."""

    def __init__(self, folder, tls=None):
        self._tls = tls
        self.path = str(folder / "proxy.sock")
        self._listener = socket.socket(socket.AF_INET if tls else socket.AF_UNIX)
        self._listener.bind(("127.0.0.1", 0) if tls else self.path)
        self.port = self._listener.getsockname()[1] if tls else None
        self._listener.listen()
        self._open = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._tls:
                try:
                    near = self._tls.wrap_socket(near, server_side=True)
                except OSError:
                    near.close()
                    continue
            far = socket.socket(socket.AF_UNIX)
            far.connect(ENGINE)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                self._threads.append(threading.Thread(target=self._pump, args=(source, sink)))
                self._threads[-1].start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def cut(self):
        """Be gone, as an engine that was killed. Safe to do twice."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        Path(self.path).unlink(missing_ok=True)
        for end in self._open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join()
        for end in self._open:
            end.close()


@pytest.fixture
def make_proxy():
    """Makes `Proxy`s; those that are not cut by their test are cut after it."""
    if not Path(ENGINE).exists():
        pytest.skip("the engine is not on a socket here")
    # Short paths: those of sockets are limited.
    made = []

    def build(**options):
        made.append(Proxy(Path(tempfile.mkdtemp(prefix="mb-")), **options))
        return made[-1]

    yield build
    for proxy in made:
        proxy.cut()
        shutil.rmtree(Path(proxy.path).parent)
