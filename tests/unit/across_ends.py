"""Two ends of the level `process` in one place: helpers of the tests of `sandbox/guest/across`."""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from sandbox.guest.across.grader_peer import GraderPeer
from sandbox.guest.across.graph import Decoder, Encoder
from sandbox.guest.across.link import Link, LinkClosed
from sandbox.guest.across.peer import Peer
from sandbox.guest.across.questions import Questions

ROOT = Path(__file__).resolve().parents[2]
CANDIDATE = """
import importlib.util, socket, sys, types
sys.modules["pytest"] = None
from sandbox.guest.across.candidate_peer import CandidatePeer
from sandbox.guest.across.link import Link, LinkBroken, LinkClosed

class Candidate(CandidatePeer):
    def do_import(self):
        spec = importlib.util.spec_from_file_location("solution", sys.argv[2])
        module = importlib.util.module_from_spec(spec)
        sys.modules["solution"] = module
        spec.loader.exec_module(module)
        return module

try:
    Candidate(Link(socket.socket(fileno=int(sys.argv[1]))), sys.argv[2]).run()
except LinkClosed:
    pass
except LinkBroken as exc:
    sys.exit(f"broken: {exc}")
"""


def pair():
    """Two peers of which neither starts to talk: what one encodes, the other decodes."""
    unused = Link(None)
    return Peer(unused, 1), Peer(unused, 2)


def as_json(message):
    """What a message is once it has been sent."""
    return json.loads(json.dumps(message))


def encoded(peer, value):
    """Nodes, bytes and slot of a value."""
    encoder = Encoder(peer)
    slot = encoder.slot(value)
    return as_json(encoder.finish()), bytes(encoder.blob), as_json(slot)


def carried(value):
    """The value as the other side has it."""
    one, other = pair()
    nodes, blob, slot = encoded(one, value)
    return Decoder(other, nodes, blob).value(slot)


@functools.cache
def parts_of_a_question():
    """How many parts an honest question has: those that are not tried here are empty."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.shutdown(socket.SHUT_WR)
        with contextlib.suppress(LinkClosed):
            Peer(Link(ours), 1).ask("call", ())
        return len(at_length(Link(theirs).receive()[0]))


def at_length(message):
    """The long form of a message."""
    match message:
        case ["c", number, verb, slots, *names]:
            return ["q", number, verb, slots, *(names or [[]]), [], None, None]
        case ["r", number, slot]:
            return ["a", number, True, slot, [], None]
        case _:
            return message


class Script:
    """A script in a process of its own, and the peer that asks it."""

    def __init__(self, folder, text, named=(), services=None):
        """Start it; `named` are the names that the tests are taken to use."""
        path = folder / "solution.py"
        path.write_text(text)
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-B", "-c", CANDIDATE, str(theirs.fileno()), str(path)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with theirs:
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        self.flags = []
        self.socket = ours
        self.peer = GraderPeer(Link(ours), Questions(frozenset(named), self.flags.append), services or {})
        try:
            self.module = self.peer.ask("import", ())
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.kill()
        self.process.wait()


class Hostile:
    """The tests' side of a conversation whose other side says whatever we write."""

    def __init__(self, services=None):
        """Make both ends."""
        ours, theirs = socket.socketpair()
        self.tampered, self.ended = [], []
        self.flags = []
        self.peer = GraderPeer(Link(ours), Questions(frozenset(), self.flags.append), services or {})
        self.peer.when_tampered = self.tampered.append
        self.peer.when_ended = lambda: self.ended.append(True)
        self.link = Link(theirs)
        self.socket, self._ours = theirs, ours

    def question(self, verb, slots=(), nodes=(), names=(), blob=b"", extras=None):
        """Ask before the tests do."""
        parts = ["q", 1, verb, list(slots), list(names), list(nodes), extras]
        self.link.send([*parts, *[None] * (parts_of_a_question() - len(parts))], blob)

    def hear(self):
        """What the tests' side has said, in the long form."""
        found = []
        while self.link.has_message():
            found.append(at_length(self.link.receive()[0]))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()
        self._ours.close()
