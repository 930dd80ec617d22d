"""Messages over a stream socket: a JSON text and a run of bytes, both bounded before they are read."""

import json
import select
import socket
import struct
from json import encoder as _json_encoder
from typing import Any, NoReturn

HEADER = struct.Struct(">II")
MAX_TEXT = 64 * 1024 * 1024
MAX_BLOB = 256 * 1024 * 1024
SMALL = 1 << 16
USUAL = 1 << 13
"""What is read at first: most messages are smaller. Memory for more takes its time."""
HEAD = HEADER.size
_head = HEADER.pack
_sizes = HEADER.unpack_from
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False)
# What `encode` makes anew each time.
_c_make: Any = getattr(_json_encoder, "c_make_encoder", None)
_flags = {"sort_keys": False, "skipkeys": False, "allow_nan": False}
_make: Any = _c_make and _c_make(
    None, _encoder.default, _json_encoder.encode_basestring_ascii, None, ":", ",", *_flags.values()
)


class LinkClosed(Exception):
    """The other side has gone."""


class LinkBroken(Exception):
    """The other side sent what no honest side sends."""


def _refuse(what: Any) -> NoReturn:
    raise ValueError(what)


_decoder: Any = json.JSONDecoder(parse_constant=_refuse)
_scan = _decoder.scan_once


def _encode(message: Any) -> bytes:
    text = _encoder.encode(message) if _make is None else "".join(_make(message, 0))
    return text.encode()


class Link:
    """One end of the connection. Not safe to use from many threads: see `threads`."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._rest = b""
        self.reading = False
        """While somebody waits in `receive`."""
        self.size = 0
        """Of the last message, in bytes."""

    def send(self, message: Any, blob: bytes | bytearray = b"") -> None:
        """Send one message.

        Raises:
            LinkClosed: nobody will read it.
            ValueError: it is larger than the other side would take.
        """
        text = _encode(message)
        if len(text) > MAX_TEXT or len(blob) > MAX_BLOB:
            raise ValueError("more data than fits into one message")
        head = _head(len(text), len(blob)) + text
        try:
            if not blob:
                self._socket.sendall(head)
            elif len(blob) < SMALL:
                self._socket.sendall(head + blob)
            else:
                self._socket.sendall(head)
                self._socket.sendall(blob)
        except OSError:
            raise LinkClosed from None

    def send_text(self, text: str) -> None:
        """Send a message that is JSON already, and ASCII."""
        size = len(text)
        if size > MAX_TEXT:
            raise ValueError("more data than fits into one message")
        try:
            self._socket.sendall(_head(size, 0) + text.encode())
        except OSError:
            raise LinkClosed from None

    def receive(self) -> tuple[list[Any], bytes]:
        """Wait for the next message.

        Raises:
            LinkClosed: none will come.
            LinkBroken: it is too large, or no JSON list, or an empty one.
        """
        self.reading = True
        if not self._rest:
            # First receive: a handler of a signal may do the same meanwhile.
            more = self._receive(USUAL)
            self._rest += more
        data, self._rest = self._rest, b""
        size = len(data) - HEAD
        if size > 0 and _sizes(data) == (size, 0):
            # One message and nothing else, as nearly always.
            self.size = size
            blob = b""
            data = data[HEAD:]
        else:
            self._rest = data + self._rest
            data, blob = self._read_parts()
        self.reading = False
        try:
            text = data.decode()
            message, end = _scan(text, 0)
        except (ValueError, RecursionError, StopIteration):
            raise LinkBroken("a message is not JSON") from None
        if type(message) is not list or not message or end != len(text):
            raise LinkBroken("a message is not a list, or an empty one")
        return message, blob

    def _read_parts(self) -> tuple[bytes, bytes]:
        text_size, blob_size = HEADER.unpack(self._read(HEADER.size))
        if text_size > MAX_TEXT or blob_size > MAX_BLOB:
            raise LinkBroken("a message is too large")
        text = self._read(text_size)
        blob = self._read(blob_size) if blob_size else b""
        self.size = text_size + blob_size
        return text, blob

    def has_message(self) -> bool:
        """Say whether there is something to receive now."""
        return bool(self._rest) or bool(select.select([self._socket], [], [], 0)[0])

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._socket.fileno()

    def has_rest(self) -> bool:
        """Say whether a part of the next message has been read already."""
        return bool(self._rest)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        while len(self._rest) < size:
            missing = size - len(self._rest)
            if missing > SMALL:
                return self._read_much(size)
            # First receive: a handler of a signal may do the same meanwhile.
            more = self._receive(USUAL)
            self._rest += more
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _receive(self, size: int) -> bytes:
        try:
            data = self._socket.recv(size)
        except OSError:
            data = b""
        if not data:
            raise LinkClosed
        return data

    def _read_much(self, size: int) -> bytes:
        buffer = bytearray(size)
        view = memoryview(buffer)
        have = len(self._rest)
        view[:have], self._rest = self._rest, b""
        while have < size:
            try:
                count = self._socket.recv_into(view[have:])
            except OSError:
                count = 0
            if not count:
                raise LinkClosed
            have += count
        return bytes(buffer)
