"""Many attempts at once: none sees, hinders or is taken for another."""

import itertools
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.types import Job, Level, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]

HOLD = """
import ctypes, fcntl, os, socket, time
libc, kept = ctypes.CDLL(None), []
kept.append(socket.socket(socket.AF_UNIX))
kept[-1].bind('\\0side by side')
kept[-1].listen()
kept.append(socket.create_server(('127.0.0.1', 4242)))
libc.shmget(4242, 4096, 0o1666)
libc.msgget(4242, 0o1666)
for folder in ('/dev/shm', '/dev/mqueue', '/tmp'):
    open(folder + '/side by side', 'w').close()
lock = os.open(os.__file__, os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX)
fcntl.flock(os.open('/bin/sh', os.O_RDONLY), fcntl.LOCK_EX)
libc.syscall(248 if os.uname().machine == 'x86_64' else 217, b'user', b'side by side', b'x', 1, -3)
time.sleep(HOLD_S)
"""
LOOK = """
import ctypes, fcntl, os, socket
libc = ctypes.CDLL(None)
def seen(name, do):
    try:
        do()
        print('SEEN', name)
    except OSError:
        pass
seen('a socket', lambda: socket.socket(socket.AF_UNIX).connect('\\0side by side'))
seen('a port', lambda: socket.create_connection(('127.0.0.1', 4242), 1))
if 'side by side' in open('/proc/net/unix').read():
    print('SEEN a table of sockets')
for name in ('shmget', 'msgget'):
    if getattr(libc, name)(4242, 0) >= 0:
        print('SEEN', name)
for folder in ('/dev/shm', '/dev/mqueue', '/tmp'):
    seen(folder, lambda: os.stat(folder + '/side by side'))
for path in (os.__file__, '/bin/sh'):
    try:
        fcntl.flock(os.open(path, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print('SEEN a lock')
if libc.syscall(249 if os.uname().machine == 'x86_64' else 218, b'user', b'side by side', 0, 0) > 0:
    print('SEEN a key')
print(len([pid for pid in os.listdir('/proc') if pid.isdigit() and 'side by side' in open(f'/proc/{pid}/cmdline').read()]))
print('done')
"""
GRAB = """
import os, signal, socket, time
kept = []
def flight():
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    kept.append(ends)
    for _ in range(8):
        socket.send_fds(ends[0], [b'x'], [0] * 20)
    return True
def grab(make, most):
    count = 0
    try:
        while count < most and make():
            count += 1
    except OSError:
        pass
    return count
flights = grab(flight, MOST)
"""


def job(script, wall_s=20.0):
    return Job(
        id=uuid.uuid4().hex, script=script, level=Level.PROGRAM, limits=Limits(wall_s=wall_s, cpu_s=10.0)
    )


@pytest.fixture
def beside(sandbox, containers_of):
    """Runs one script while another one holds what it has taken."""

    def run(first, second):
        with ThreadPoolExecutor(1) as pool:
            holder = pool.submit(sandbox.run, job(first))
            time.sleep(4)
            result = sandbox.run(job(second))
            assert not holder.done(), "the first script ended too early to be a neighbour"
            assert judge(holder.result()) is RunVerdict.PASSED
        return result

    return run


def test_neighbours_do_not_see_each_other(beside):
    """Sockets, shared memory, queues, files, locks on the image and keys of one sandbox are unseen in another."""
    result = beside(HOLD.replace("HOLD_S", "12"), LOOK)

    assert result.stdout.text == "0\ndone\n"


def test_neighbours_do_not_use_up_each_others_share(beside):
    """What the kernel counts per user is not used up by a neighbour."""
    look = GRAB.replace("MOST", "1") + "print(flights)\n"

    result = beside(GRAB.replace("MOST", "10**6") + "time.sleep(12)\n", look)

    assert result.stdout.text == "1\n"


def test_many_at_once(sandbox, steady_cases):
    """Hostile and honest scripts at four workers get the verdicts of a serial run, each its own."""
    count = int(os.environ.get("MENDBENCH_MIXED", "40"))
    chosen = itertools.islice(itertools.cycle(steady_cases), count)

    def run(case):
        token = uuid.uuid4().hex
        honest = sandbox.run(job(f"print({token!r})\n"))
        assert honest.stdout.text == f"{token}\n"
        asked = case.job()
        result = sandbox.run(asked)
        assert result.job_id == asked.id
        case.check(result)

    with ThreadPoolExecutor(4) as pool:
        answers = [(case.name, pool.submit(run, case)) for case in chosen]
        wrong = {name: answer.exception() for name, answer in answers if answer.exception() is not None}

    assert wrong == {}
