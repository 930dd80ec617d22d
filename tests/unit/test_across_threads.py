"""Many threads on one link between the tests' process and the script's, and what a hostile script makes of it."""

import contextlib
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.guest.across import peer as peers
from sandbox.guest.across import threads
from sandbox.guest.across.candidate_peer import CandidatePeer
from sandbox.guest.across.errors import CandidateEnded, CannotCross, Tampered
from sandbox.guest.across.grader_peer import GraderPeer
from sandbox.guest.across.link import Link, LinkClosed
from sandbox.guest.across.questions import Questions

PATIENCE_S = 20


@pytest.fixture
def hostile() -> Iterator[tuple[GraderPeer, Link, list[str]]]:
    """Yield the tests' peer, the raw end of the script's side, and why it was found to be tampered with."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE_S)
    why: list[str] = []
    over = threading.Event()
    services = {"wait": lambda: over.wait(PATIENCE_S), "fine": lambda: 1}
    peer = GraderPeer(Link(ours), Questions(frozenset(), lambda _flag: None), services)
    peer.when_tampered = why.append
    link = Link(theirs)
    yield peer, link, why
    with ours, theirs:
        over.set()
        # Whoever still waits is told.
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)
        until(lambda: peer.threads is None or (peer.threads._closed is not None and not servers()))


def question(number: int, thread: Any, service: str = "fine") -> list[Any]:
    """Make a question of thread `thread` of the script."""
    return ["Q", number, "service", [service], [], [], None, None, {"t": thread, "n": "served"}]


def servers() -> int:
    """Count the threads that serve threads of the script."""
    return sum(thread.name == "served" for thread in threading.enumerate())


def until(done: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not done() and time.monotonic() < end:
        time.sleep(0.002)
    assert done()


def ask(peer: GraderPeer) -> Any:
    """Ask anything."""
    return peer.ask("get", (None, "x"))


def in_threads(count: int, peer: GraderPeer) -> "queue.SimpleQueue[Any]":
    """Ask in several threads; return where the errors will be."""
    found: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run() -> None:
        try:
            found.put(ask(peer))
        except BaseException as exc:  # noqa: BLE001 -- whatever it is, it is what is looked at
            found.put(exc)

    for _ in range(count):
        threading.Thread(target=run, daemon=True).start()
    return found


@pytest.mark.parametrize(
    "message",
    [
        ["A", 1, True, None, [], None, {"t": 99_998}],
        ["A", 1, True, None, [], None, {"t": 7}],
        ["A", 1, True, None, [], None, {"t": 0}],
        ["A", 1, True, None, [], None, {"t": "0"}],
        ["Q", 1, "service", ["fine"], [], [], None, None, {"t": -1}],
        ["Q", 1, "service", ["fine"], [], [], None, None, {"t": 99_998}],
        ["Q", 1, "call", [None], [], [], None, None, {"t": 1, "n": [], "e": "x", "g": 5}, {}, 1, {"t": 1}],
        ["Q", 1, "nothing", [None], [], [], None, None, {"t": 1}],
        [None, {"t": 0}],
        [{"t": 0}],
        [],
    ],
    ids=repr,
)
def test_numbers_that_were_never_given_are_found_out(hostile, message):
    """Threads and questions that do not exist, and messages without sense, are what no honest script sends."""
    peer, link, why = hostile
    peer.enter()
    found = in_threads(1, peer)
    link.receive()
    link.send(message)
    if message[1:2] == [1] and message[-1] == {"t": 0}:
        # An answer to the main thread, which has not asked: it meets it when it asks.
        with pytest.raises(Tampered):
            ask(peer)
    assert isinstance(found.get(timeout=PATIENCE_S), Tampered)
    assert why
    with pytest.raises(ReferenceError):
        ask(peer)


def test_a_flood_of_questions_ends_the_conversation(hostile):
    """What nobody takes is not kept without bound."""
    peer, link, why = hostile
    peer.enter()
    with contextlib.suppress(LinkClosed):
        for number in range(10 * threads.MOST_WAITING):
            link.send(question(number, 0))
    until(lambda: why)
    assert "more messages" in why[0]


def test_a_flood_of_threads_is_answered_with_errors(hostile):
    """No more threads are made for the script than it may have; the others are told."""
    peer, link, why = hostile
    peer.enter()
    more = 10
    for index in range(threads.MOST_WORKERS + more):
        link.send(question(index, 2 * index + 1, "wait"))
    refused = [link.receive()[0] for _ in range(more)]
    assert {message[2] for message in refused} == {False}
    assert {message[-1]["t"] for message in refused} == {
        2 * index + 1 for index in range(threads.MOST_WORKERS, threads.MOST_WORKERS + more)
    }
    assert servers() == threads.MOST_WORKERS
    assert not why


def test_what_is_to_be_forgotten_is_bounded(hostile, monkeypatch):
    """A message that is never taken does not let what comes after it pile up."""
    peer, link, why = hostile
    monkeypatch.setattr(threads, "MOST_LATER", 50)
    peer.enter()
    link.send(question(1, 0))
    with contextlib.suppress(LinkClosed):
        for number in range(200):
            link.send(["E", {"t": 0, "g": [number]}])
    until(lambda: why)


def test_the_end_of_the_script_reaches_every_thread(hostile):
    """Whoever waits is told that nothing will come, and whoever asks later, too."""
    peer, link, why = hostile
    ended = []
    peer.when_ended = lambda: ended.append(1)
    found = in_threads(5, peer)
    for _ in range(5):
        link.receive()
    link.close()
    assert {type(found.get(timeout=PATIENCE_S)) for _ in range(5)} == {CandidateEnded}
    assert ended
    assert not why


def test_a_container_that_is_on_its_way_out_breaks_nothing(hostile):
    """A number that is not known any more is an error of one call, not of the script."""
    peer, link, why = hostile
    peer.enter()
    found = in_threads(1, peer)
    message, _ = link.receive()
    link.send(["A", message[1], True, [0], [["@", 77]], None, {"t": message[-1]["t"]}])
    assert isinstance(found.get(timeout=PATIENCE_S), CannotCross)
    assert not why


def test_a_thread_that_has_ended_leaves_no_server(hostile):
    """A server goes with the thread that it has served."""
    peer, link, why = hostile
    peer.enter()
    link.send(question(1, 1))
    assert link.receive()[0][:4] == ["A", 1, True, 1]
    assert servers() == 1
    link.send(["E", {"t": 0, "e": [1, 3, None]}])
    until(lambda: not servers())
    assert not why


@pytest.fixture
def script() -> Iterator[GraderPeer]:
    """Yield the tests' peer of a real process that answers."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        with contextlib.suppress(BaseException):
            CandidatePeer(Link(theirs), __file__).run()
        os._exit(0)
    theirs.close()
    peer = GraderPeer(Link(ours), Questions(frozenset(), lambda _flag: None), {})
    yield peer
    ours.shutdown(socket.SHUT_RDWR)
    # Who still reads would read from the next socket of this number.
    until(lambda: peer.threads is None or peer.threads._closed is not None)
    ours.close()
    os.waitpid(pid, 0)


@pytest.fixture
def alone(monkeypatch):
    """Have both sides believe that there is one thread, whatever runs the tests."""
    monkeypatch.setattr(peers, "_more_threads", lambda: 0)


def test_one_thread_needs_no_other(alone, script):
    """As long as both sides have only their main thread, none is added."""
    assert script.ask("module", ("queue",)).Queue().qsize() == 0
    assert script.threads is None


def test_a_thread_may_wait_in_the_script_for_another(script):
    """Threads are served at once: who takes from a queue there waits for who puts."""
    box = script.ask("module", ("queue",)).Queue()
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=lambda: got.put(box.get()), daemon=True).start()
    time.sleep(0.01)
    box.put([1, 2])
    assert got.get(timeout=PATIENCE_S) == [1, 2]
    assert script.threads is not None


def test_what_cannot_be_sent_leaves_no_trace(script):
    """A container, or a class, of a message that was never sent is not taken for known by the next one."""

    class Own:
        pass

    own, shared = Own(), [1, 2]
    box = script.ask("module", ("queue",)).Queue()
    with pytest.raises(CannotCross):
        box.put((own, shared, (lambda: 1).__code__))
    box.put((own, shared))
    assert box.get() == (own, shared)
