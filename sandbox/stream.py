"""The attached streams of a container: bounded frames out of Docker's multiplexed stream, by a deadline."""

import contextlib
import json
import ssl
import struct
import time
from typing import Any, Protocol

from sandbox.errors import LostResult

MUX_HEADER = struct.Struct(">BxxxL")
FRAME_HEADER = struct.Struct(">I")
STDOUT = 1
STDERR = 2
CHUNK = 65536
STDERR_KEPT = 4096
MAX_FRAME = 1024 * 1024


class RawSocket(Protocol):
    """What is needed of a socket; TLS and SSH connections have it too."""

    def settimeout(self, value: float | None, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def close(self) -> None: ...


class Demultiplexer:
    """Takes a multiplexed stream in pieces of any size; keeps stdout whole and the end of stderr."""

    def __init__(self) -> None:
        self._raw = bytearray()
        self._left = 0
        self._kind = 0
        self.stdout = bytearray()
        self.stderr = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._raw += data
        while self._raw:
            if not self._left and not self._next_header():
                return
            piece = self._raw[: self._left]
            del self._raw[: self._left]
            self._left -= len(piece)
            self._keep(piece)

    def _next_header(self) -> bool:
        if len(self._raw) < MUX_HEADER.size:
            return False
        self._kind, self._left = MUX_HEADER.unpack_from(self._raw)
        del self._raw[: MUX_HEADER.size]
        return True

    def _keep(self, piece: bytearray) -> None:
        if self._kind == STDOUT:
            self.stdout += piece
        elif self._kind == STDERR:
            self.stderr += piece
            del self.stderr[:-STDERR_KEPT]


class FrameStream:
    """Sends and reads length-prefixed JSON frames over an attached socket."""

    def __init__(self, sock: RawSocket) -> None:
        self._sock = sock
        self._demux = Demultiplexer()

    def send(self, value: dict[str, Any], timeout_s: float) -> None:
        """Send one frame.

        Raises:
            LostResult: the other side does not take it.
        """
        # Lone surrogates are for the guest to judge; as escapes everything else would be longer.
        body = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._sock.settimeout(timeout_s)
        try:
            self._sock.sendall(FRAME_HEADER.pack(len(body)) + body)
        except OSError as exc:
            raise LostResult(f"the container did not take its job: {exc}") from exc

    def read(self, timeout_s: float) -> dict[str, Any]:
        """Read one frame.

        Raises:
            LostResult: it did not come in time, came broken, or the stream ended.
        """
        deadline = time.monotonic() + timeout_s
        (size,) = FRAME_HEADER.unpack(self._take(FRAME_HEADER.size, deadline))
        if size > MAX_FRAME:
            raise LostResult(f"the container announced a frame of {size} bytes; {MAX_FRAME} are allowed")
        return parse(self._take(size, deadline))

    def _take(self, size: int, deadline: float) -> bytes:
        buffer = self._demux.stdout
        while len(buffer) < size:
            # One frame is read at a time: a container that sends more than was asked for is cut off.
            if len(buffer) > MAX_FRAME + FRAME_HEADER.size:
                raise LostResult("the container sent more than one frame")
            self._receive(deadline)
        taken = bytes(buffer[:size])
        del buffer[:size]
        return taken

    def _receive(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise LostResult("the container fell silent past its deadline" + self._last_words())
        self._sock.settimeout(left)
        try:
            data = self._sock.recv(CHUNK)
        except TimeoutError:
            return
        except OSError as exc:
            raise LostResult(f"the connection to the container broke: {exc}") from exc
        if not data:
            raise LostResult("the container ended without its result" + self._last_words())
        self._demux.feed(data)

    def is_silent(self) -> bool:
        """Say whether the other side is there and has said nothing that nobody asked for."""
        if self._demux.stdout:
            return False
        try:
            self._sock.settimeout(0.0)
            self._sock.recv(1)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _last_words(self) -> str:
        text = self._demux.stderr.decode("utf-8", "replace").strip()
        return f"; its last words: {text}" if text else ""

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        with contextlib.suppress(OSError):
            self._sock.close()


def parse(body: bytes) -> dict[str, Any]:
    """Parse a frame's JSON: one object, plain numbers only, no text that cannot be written again.

    Raises:
        LostResult: it is anything else.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not a number")

    try:
        value = json.loads(body.decode("utf-8", "replace"), parse_constant=refuse)
    except (ValueError, RecursionError) as exc:
        raise LostResult(f"the container sent a broken frame: {exc}") from exc
    if not isinstance(value, dict):
        raise LostResult("the container sent a frame that is not an object")
    return value
