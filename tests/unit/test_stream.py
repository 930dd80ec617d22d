"""Frames out of a multiplexed stream: any splitting, any end, any nonsense."""

import json
import socket
import threading

import pytest

from sandbox.errors import LostResult
from sandbox.stream import FRAME_HEADER, MAX_FRAME, MUX_HEADER, Demultiplexer, FrameStream, parse

SOON = 5.0
NOW = 0.05


def mux(data, kind=1):
    return MUX_HEADER.pack(kind, len(data)) + data


def frame(value):
    body = json.dumps(value).encode()
    return FRAME_HEADER.pack(len(body)) + body


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    stream = FrameStream(ours)
    yield stream, theirs
    stream.close()
    theirs.close()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 1000])
def test_pieces_of_any_size(size):
    """A stream can arrive in pieces of any size, headers and payloads cut anywhere."""
    data = mux(b"he") + mux(b"", 1) + mux(b"oops", 2) + mux(b"llo")
    demux = Demultiplexer()

    for start in range(0, len(data), size):
        demux.feed(data[start : start + size])

    assert demux.stdout == b"hello"
    assert demux.stderr == b"oops"


def test_stderr_is_bounded():
    """Only the end of what the warden says on stderr is kept."""
    demux = Demultiplexer()

    demux.feed(mux(b"x" * 100_000 + b"end", 2))

    assert len(demux.stderr) < 5000
    assert demux.stderr.endswith(b"end")


def test_two_frames_in_one_piece(ends):
    """Frames that arrive together are read one after the other."""
    stream, theirs = ends

    theirs.sendall(mux(frame({"a": 1}) + frame({"b": 2})))

    assert stream.read(SOON) == {"a": 1}
    assert stream.read(SOON) == {"b": 2}


def test_frame_over_many_pieces(ends):
    """A frame may be spread over many pieces of the stream."""
    stream, theirs = ends
    data = frame({"text": "é" * 1000})

    theirs.sendall(b"".join(mux(data[n : n + 10]) for n in range(0, len(data), 10)))

    assert stream.read(SOON) == {"text": "é" * 1000}


@pytest.mark.parametrize("sent", [b"", b"\1\0", mux(b"\0\0"), mux(frame({"a": 1})[:-1])])
def test_end_within_a_frame_is_a_lost_result(ends, sent):
    """A stream that ends anywhere within a frame is a lost result, at once."""
    stream, theirs = ends
    theirs.sendall(sent)
    theirs.close()

    with pytest.raises(LostResult, match="ended without its result"):
        stream.read(SOON)


def test_last_words_are_told(ends):
    """What the warden said on stderr before it ended is part of the error."""
    stream, theirs = ends
    theirs.sendall(mux(b"Traceback: boom", 2))
    theirs.close()

    with pytest.raises(LostResult, match="boom"):
        stream.read(SOON)


def test_silence_is_a_lost_result(ends):
    """Silence past the deadline is a lost result, even in the middle of a frame."""
    stream, theirs = ends
    theirs.sendall(mux(frame({"a": 1})[:-1]))

    with pytest.raises(LostResult, match="deadline"):
        stream.read(NOW)


def test_oversized_frame_is_refused(ends):
    """A frame that announces too much is refused before it is read."""
    stream, theirs = ends
    theirs.sendall(mux(FRAME_HEADER.pack(MAX_FRAME + 1)))

    with pytest.raises(LostResult, match="bytes"):
        stream.read(SOON)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"nonsense",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"1" * 5000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 200_000,
    ],
)
def test_broken_json_is_a_lost_result(body):
    """What is not one plain object is refused, whatever parsing it raises."""
    with pytest.raises(LostResult):
        parse(body)


def test_sent_frame_arrives(ends):
    """A frame is sent whole, whatever its size."""
    stream, theirs = ends
    received = bytearray()

    def drain():
        while chunk := theirs.recv(65536):
            received.extend(chunk)

    reader = threading.Thread(target=drain)
    reader.start()
    stream.send({"script": "x" * 1_000_000}, SOON)
    stream.close()
    reader.join()

    assert received == frame({"script": "x" * 1_000_000})


def test_sending_to_the_dead_is_a_lost_result(ends):
    """A container that has gone takes no job."""
    stream, theirs = ends
    theirs.close()

    with pytest.raises(LostResult, match="did not take its job"):
        stream.send({"script": "x" * 1_000_000}, SOON)
