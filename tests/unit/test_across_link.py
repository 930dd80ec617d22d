"""Messages over a socket: bounded before they are read, whole or not at all."""

import json
import socket
import struct
import threading

import pytest

from sandbox.guest.across import link as link_module
from sandbox.guest.across.link import HEADER, MAX_BLOB, MAX_TEXT, Link, LinkBroken, LinkClosed


@pytest.fixture
def ends():
    """A link, and the raw socket at its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Link(ours), theirs


def frame(message, blob=b""):
    """The bytes of one message."""
    text = message if isinstance(message, bytes) else json.dumps(message).encode()
    return HEADER.pack(len(text), len(blob)) + text + blob


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
def test_messages_of_any_size_arrive_whole_and_in_order(size):
    """Text and bytes of small and of large messages come out as they went in, one after another."""
    one, other = socket.socketpair()
    with one, other:
        sender, receiver = Link(one), Link(other)
        blob = bytes(range(256)) * (size // 256 + 1)

        def send():
            for number in range(3):
                sender.send(["q", number, "ä" * size], blob[:size])
                sender.send([number])

        thread = threading.Thread(target=send)
        thread.start()
        for number in range(3):
            assert receiver.receive() == (["q", number, "ä" * size], blob[:size])
            assert receiver.receive() == ([number], b"")
        thread.join()
        assert not receiver.has_message()


@pytest.mark.parametrize("head", [(MAX_TEXT + 1, 0), (0, MAX_BLOB + 1), (2**32 - 1, 2**32 - 1)])
def test_a_header_that_announces_too_much_is_refused_at_once(ends, head):
    """The bound holds before a byte of the message has come, and before memory is taken for it."""
    link, raw = ends
    raw.sendall(struct.pack(">II", *head))
    with pytest.raises(LinkBroken, match="too large"):
        link.receive()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[",
        b"{}",
        b'{"a": 1}',
        b"5",
        b"null",
        b'"q"',
        b"[]",
        b"[1] [2]",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"\xff\xfe",
        b'["\xff"]',
        b"[" * 200_000,
        b"[" + b"9" * 5000 + b"]",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_list_is_refused(ends, text):
    """Anything but a JSON list without odd numbers breaks the link."""
    link, raw = ends
    thread = threading.Thread(target=raw.sendall, args=(frame(text),))
    thread.start()
    with pytest.raises(LinkBroken):
        link.receive()
    thread.join()


@pytest.mark.parametrize("size", [10, 200_000])
def test_an_end_within_a_message_is_an_end(ends, size):
    """Whoever goes in the middle of a header, a text or its bytes has gone."""
    whole = frame(["x" * size], b"y" * size)
    for cut in (0, 3, HEADER.size, HEADER.size + size // 2, len(whole) - 1):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            thread = threading.Thread(
                target=lambda cut=cut, theirs=theirs: (
                    theirs.sendall(whole[:cut]),
                    theirs.shutdown(socket.SHUT_WR),
                )
            )
            thread.start()
            with pytest.raises(LinkClosed):
                Link(ours).receive()
            thread.join()


def test_a_slow_sender_is_waited_for(ends):
    """A message that comes byte by byte is the same message."""
    link, raw = ends
    read = []
    thread = threading.Thread(target=lambda: read.append(link.receive()))
    thread.start()
    for byte in frame(["slow"], b"ly"):
        raw.sendall(bytes([byte]))
    thread.join()
    assert read == [(["slow"], b"ly")]


def test_several_messages_in_one_piece_are_several(ends):
    """What comes with a message stays for the next call, and `has_message` knows of it."""
    link, raw = ends
    assert not link.has_message()
    raw.sendall(frame([1], b"a") + frame([2]) + frame([3], b"ccc"))
    assert [link.receive() for _ in range(3)] == [([1], b"a"), ([2], b""), ([3], b"ccc")]
    assert not link.has_message()
    raw.sendall(frame([4]))
    assert link.has_message()


def test_too_much_is_not_sent(ends, monkeypatch):
    """What the other side would refuse is an error on this side, and the link is none the worse."""
    link, raw = ends
    monkeypatch.setattr(link_module, "MAX_TEXT", 20)
    monkeypatch.setattr(link_module, "MAX_BLOB", 5)
    for message, blob in ((["x" * 30], b""), (["q"], b"123456")):
        with pytest.raises(ValueError, match="more data"):
            link.send(message, blob)
    link.send(["ok"], b"12345")
    assert raw.recv(100) == frame(["ok"], b"12345").replace(b" ", b"")


def test_sending_to_nobody_says_so(ends):
    """Once the other side has gone there is nobody to send to, or to hear from."""
    link, raw = ends
    raw.close()
    with pytest.raises(LinkClosed):
        link.send(["x"], b"y" * 100_000)
    with pytest.raises(LinkClosed):
        link.receive()
