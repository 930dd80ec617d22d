"""What a call from the tests' process to the script's costs, against a bare exchange.

Both use the same kind of socket. Both processes are pinned to one CPU, so that only their own work counts.
"""

import os
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.guest.across.candidate_peer import CandidatePeer
from sandbox.guest.across.grader_peer import GraderPeer
from sandbox.guest.across.link import Link, LinkClosed
from sandbox.guest.across.questions import Questions

ROUNDS = 7
CALLS = 3000
MESSAGE = 64
"""Bytes of a bare message: about what a call with small arguments takes."""
LARGE = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Medians over the rounds of one run."""

    call_us: float
    """A call of a function with two small arguments, answered."""
    bare_us: float
    """The same number of bytes there and back, with nothing done."""
    megabytes_per_s: float
    """Of a large byte string that goes there and comes back, both ways counted."""

    @property
    def call_ratio(self) -> float:
        """How much longer a call takes than a bare exchange."""
        return self.call_us / self.bare_us


class _Script(CandidatePeer):
    def do_echo(self) -> Callable[..., object]:
        """Return the function that is called."""
        return _echo


def _echo(value: object, _other: object = None) -> object:
    return value


def measure() -> Crossing:
    """Measure, in rounds that alternate."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        ours, bare = _fork(_serve), _fork(_bounce)
        peer = GraderPeer(Link(ours), Questions(frozenset(), lambda _flag: None), {})
        function = peer.ask("echo", ())
        calls, exchanges, speeds = [], [], []
        for _ in range(ROUNDS):
            calls.append(_time(lambda: function(1, 2)))
            exchanges.append(_time(lambda: _exchange(bare)))
            speeds.append(_speed(function))
        ours.close()
        bare.close()
    finally:
        os.sched_setaffinity(0, before)
    return Crossing(
        call_us=statistics.median(calls),
        bare_us=statistics.median(exchanges),
        megabytes_per_s=statistics.median(speeds),
    )


def _fork(serve: Callable[[socket.socket], None]) -> socket.socket:
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        try:
            serve(theirs)
        finally:
            os._exit(0)
    theirs.close()
    return ours


def _serve(sock: socket.socket) -> None:
    try:
        _Script(Link(sock), "").run()
    except LinkClosed:
        return


def _bounce(sock: socket.socket) -> None:
    while data := sock.recv(MESSAGE):
        sock.sendall(data)


def _exchange(sock: socket.socket) -> None:
    sock.sendall(bytes(MESSAGE))
    sock.recv(MESSAGE)


def _time(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


def _speed(function: Callable[[bytes], object]) -> float:
    data = os.urandom(LARGE)
    began = time.perf_counter()
    function(data)
    return 2 * LARGE / 1e6 / (time.perf_counter() - began)
