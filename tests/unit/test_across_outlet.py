"""What the script prints is printed before what it says after that, and in order."""

import io
import os
import signal
import socket
import sys
import threading
from unittest import mock

import pytest

from sandbox.guest.across.link import Link, LinkClosed
from sandbox.guest.across.outlet import ListeningLink, Outlet

MOST = 1 << 20


class Conversation:
    """The tests' link, the script's, the streams that it has, and what becomes of them."""

    def __init__(self):
        """Listen to four streams, of which the last two go where `sys.stdout` and `sys.stderr` are now."""
        self.printed = {name: io.TextIOWrapper(io.BytesIO()) for name in ("stdout", "stderr")}
        self._patches = [mock.patch.object(sys, name, stream) for name, stream in self.printed.items()]
        ends = [os.pipe() for _ in range(4)]
        self.fds = [writing for _, writing in ends]
        self.outlet = Outlet(MOST, lambda: None)
        for patch in self._patches:
            patch.start()
        self.outlet.listen(*(reading for reading, _ in ends))
        self._ours, self._theirs = socket.socketpair()
        self.link, self.there = ListeningLink(self._ours, self.outlet), Link(self._theirs)

    def close(self, number):
        """Have the script close one of its streams."""
        os.close(self.fds[number])
        self.fds[number] = -1

    def __enter__(self):
        return self.link, self.there, self.fds, self.printed

    def __exit__(self, *_):
        for fd in self.fds:
            if fd >= 0:
                os.close(fd)
        self.outlet.drain()
        assert self.outlet.files == {}
        self._ours.close()
        self._theirs.close()
        for patch in self._patches:
            patch.stop()


def text(printed):
    """What has been printed."""
    return {name: stream.buffer.getvalue().decode() for name, stream in printed.items()}


def test_what_is_printed_before_an_answer_is_there_when_it_is_read():
    """However often, on whichever stream."""
    with Conversation() as (link, there, fds, printed):
        for number in range(50):
            fd = fds[number % 4]
            os.write(fd, b"%d " % number)
            there.send([number])
            assert link.receive()[0] == [number]
            assert text(printed)[("stdout", "stderr")[number % 2]].endswith(f"{number} ")
        assert text(printed)["stdout"].split() == [str(each) for each in range(0, 50, 2)]


def test_more_than_a_pipe_holds_is_taken_while_waiting():
    """The script does not wait for ever to print, nor the tests for its answer."""
    with Conversation() as (link, there, fds, printed):

        def run():
            for _ in range(30):
                os.write(fds[0], b"x" * 30_000)
            there.send(["done"])

        thread = threading.Thread(target=run)
        thread.start()
        assert link.receive()[0] == ["done"]
        thread.join()
        assert text(printed)["stdout"] == "x" * 900_000


def test_a_stream_that_the_script_closes_is_listened_to_no_more():
    """Nor does it keep the tests from what comes on the others."""
    made = Conversation()
    with made as (link, there, fds, printed):
        os.write(fds[0], b"last words")
        made.close(0)
        for number in range(3):
            os.write(fds[1], b"!")
            there.send([number])
            assert link.receive()[0] == [number]
        assert text(printed) == {"stdout": "last words", "stderr": "!!!"}


def test_a_handler_of_a_signal_may_receive_while_somebody_waits():
    """Both get a message, and neither finds the other's poller in use."""
    with Conversation() as (link, there, fds, printed):
        got = []

        def handle(*_):
            there.send(["inner"])
            got.append(link.receive()[0])
            os.write(fds[0], b"printed")
            there.send(["outer"])

        before = signal.signal(signal.SIGALRM, handle)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            got.append(link.receive()[0])
        finally:
            signal.signal(signal.SIGALRM, before)
        assert got == [["inner"], ["outer"]]
        assert text(printed)["stdout"] == "printed"


def test_the_end_of_the_script_is_found():
    """After all that it had printed."""
    with Conversation() as (link, there, fds, printed):
        os.write(fds[2], b"the end")
        there.close()
        with pytest.raises(LinkClosed):
            link.receive()
        assert text(printed)["stdout"] == "the end"
