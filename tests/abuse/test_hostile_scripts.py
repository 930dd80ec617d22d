"""Hostile scripts: each gets exactly the verdict it earns, harms nobody, and leaves nothing behind."""

import uuid
from dataclasses import dataclass, field

import pytest

from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.reaper import LABEL_RUN
from sandbox.types import Flag, Job, Level, Limits, RunResult
from sandbox.verdict import RunVerdict as V
from sandbox.verdict import judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]

RUN_ID = f"abuse-{uuid.uuid4().hex[:8]}"
SHORT = Limits(wall_s=2.0, cpu_s=1.0)
"""Enough for what ends by itself or by the limit under test."""
PATIENT = Limits(wall_s=20.0, cpu_s=8.0)
"""For what must end by another limit than time."""
WRONG = "\ndef f(x):\n    return None\n"
RIGHT = "\ndef f(x):\n    return x + 1\n"
TESTS = """
from solution import f

def test_one():
    assert f(1) == 2

def test_two():
    assert f(2) == 3
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A script and what must become of it."""

    script: str
    verdict: V
    tests: str | None = TESTS
    limits: Limits = PATIENT
    flags: frozenset[Flag] = field(default_factory=frozenset)
    says: str = ""
    """What must be in the standard output."""


def at_call(code: str) -> str:
    """Make a script that does `code` when it is called."""
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    return f"import os, sys, signal, time\ndef f(x):\n{body}\n"


def at_import(code: str, rest: str = RIGHT) -> str:
    """Make a script that does `code` when it is imported."""
    return f"import os, sys, signal, time\n{code.strip()}\n{rest}"


NO_GAIN = """
import errno
def refused(what, *args):
    try:
        what(*args)
    except OSError as exc:
        return exc.errno != errno.ENOSYS or True
    return False
"""

RESOURCES = {
    "fork bomb": Case(
        script=at_import("while True:\n    try:\n        os.fork()\n    except OSError:\n        pass"),
        verdict=V.TIMED_OUT,
        limits=Limits(wall_s=2.0, cpu_s=20.0),
        flags=frozenset({Flag.PIDS_EXHAUSTED}),
    ),
    "threads without end": Case(
        script=at_import(
            "import threading\nwhile True:\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
        ),
        verdict=V.RUNTIME_ERROR,
        flags=frozenset({Flag.PIDS_EXHAUSTED}),
    ),
    "a gigabyte at once": Case(script=at_import("x = bytearray(10**9)"), verdict=V.OUT_OF_MEMORY),
    "memory bit by bit": Case(
        script=at_call("hoard = []\nwhile True:\n    hoard.append(b'x' * 2**20)"), verdict=V.OUT_OF_MEMORY
    ),
    "memory in a child only": Case(
        script=at_import("import subprocess\nsubprocess.run([sys.executable, '-c', 'bytearray(10**9)'])"),
        verdict=V.PASSED,
        flags=frozenset({Flag.OOM_CHILD}),
    ),
    "shared memory that outlives its maker": Case(
        script=at_import(
            """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(0, 64 << 20, 0o1600), os.strerror(ctypes.get_errno()))
"""
        ),
        verdict=V.PASSED,
        says="\n-1 Operation not permitted",
    ),
    "output without end": Case(
        script=at_import("while True:\n    print('x' * 1000)"), verdict=V.OUTPUT_LIMIT
    ),
    "errors without end and without newline": Case(
        script=at_import("while True:\n    sys.stderr.write('x' * 1000)"), verdict=V.OUTPUT_LIMIT
    ),
    "sleeping": Case(script=at_call("time.sleep(60)"), verdict=V.TIMED_OUT, limits=SHORT),
    "busy loop": Case(
        script=at_call("while True:\n    pass"), verdict=V.CPU_LIMIT, limits=Limits(wall_s=30.0, cpu_s=1.0)
    ),
    "busy loop deaf to SIGXCPU": Case(
        script=at_call("signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass"),
        verdict=V.CPU_LIMIT,
        limits=Limits(wall_s=30.0, cpu_s=1.0),
    ),
    "busy children": Case(
        script=at_call(
            "for _ in range(4):\n    if os.fork() == 0:\n        while True:\n            pass\nos.wait()"
        ),
        verdict=V.CPU_LIMIT,
        limits=Limits(wall_s=30.0, cpu_s=1.0),
    ),
    "stopping itself": Case(
        script=at_call("os.kill(os.getpid(), signal.SIGSTOP)"), verdict=V.TIMED_OUT, limits=SHORT
    ),
    "swallowing every exception": Case(
        script=at_call(
            "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass"
        ),
        verdict=V.TIMED_OUT,
        limits=SHORT,
    ),
    "one file without end": Case(
        script=at_import(
            "with open('big', 'wb') as file:\n    while True:\n        file.write(b'x' * 2**20)"
        ),
        verdict=V.RUNTIME_ERROR,
    ),
    "a full disk": Case(
        script=at_import(
            "for n in range(99):\n    try:\n        open(str(n), 'wb').write(b'x' * 2**20)\n"
            "    except OSError as exc:\n        print(exc.strerror)\n        break"
        ),
        verdict=V.PASSED,
        flags=frozenset({Flag.DISK_FULL}),
        says="No space left",
    ),
    "files without end": Case(
        script=at_import("for n in range(10**6):\n    open(f'/tmp/{n}', 'w').close()"),
        verdict=V.RUNTIME_ERROR,
        flags=frozenset({Flag.DISK_FULL}),
    ),
    "a terabyte of nothing": Case(
        script=at_import("open('sparse', 'wb').truncate(10**12)"), verdict=V.RUNTIME_ERROR
    ),
    "file descriptors without end": Case(
        script=at_import("kept = []\nwhile True:\n    kept.append(open('/dev/null'))"),
        verdict=V.RUNTIME_ERROR,
    ),
    "an int too long to print": Case(script=at_call("return 10 ** 10**6"), verdict=V.TESTS_FAILED),
}

PROCESSES = {
    "daemon that keeps stdout": Case(
        script=at_import(
            "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(60)\n    os._exit(0)"
        ),
        verdict=V.PASSED,
        flags=frozenset({Flag.LEFTOVER_PROCESSES}),
    ),
    "every signal to the warden": Case(
        script=at_import(
            "hit = 0\nfor n in signal.valid_signals():\n    try:\n        os.kill(1, n)\n        hit += 1\n"
            "    except PermissionError:\n        pass\nprint('hit', hit)"
        ),
        verdict=V.PASSED,
        says="hit 0",
    ),
    "kill everyone": Case(
        script=at_import("try:\n    os.kill(-1, signal.SIGKILL)\nexcept ProcessLookupError:\n    pass"),
        verdict=V.PASSED,
    ),
    "kill itself like the kernel would": Case(
        script=at_call("os.kill(os.getpid(), signal.SIGKILL)"), verdict=V.CRASHED
    ),
    "sys.exit(137)": Case(script=at_import("sys.exit(137)"), verdict=V.RUNTIME_ERROR),
    "sys.exit(124) in a call": Case(script=at_call("sys.exit(124)"), verdict=V.TESTS_FAILED),
    "deep recursion": Case(script=at_call("return f(x)"), verdict=V.TESTS_FAILED),
    "C stack overflow": Case(
        script=at_call(
            "sys.setrecursionlimit(10**9)\nnested = []\nfor _ in range(10**6):\n    nested = [nested]\nrepr(nested)"
        ),
        verdict=V.CRASHED,
    ),
    "null pointer": Case(script=at_call("import ctypes\nctypes.string_at(0)"), verdict=V.CRASHED),
    "reading input": Case(script=at_call("return input()"), verdict=V.TESTS_FAILED),
    "stray thread at the end": Case(
        script=at_import("import threading\nthreading.Thread(target=time.sleep, args=(60,)).start()"),
        verdict=V.PASSED,
    ),
    "popen in a loop": Case(
        script=at_import("import subprocess\nwhile True:\n    subprocess.Popen(['sleep', '99'])"),
        verdict=V.RUNTIME_ERROR,
        flags=frozenset({Flag.PIDS_EXHAUSTED, Flag.LEFTOVER_PROCESSES}),
    ),
}

CAGE = {
    "the warden's secrets": Case(
        script=at_import(
            """
for name in ('environ', 'mem', 'maps', 'fd', 'cwd', 'root', 'fd/0', 'fd/1', 'fd/2'):
    path = f'/proc/1/{name}'
    try:
        os.listdir(path) if name == 'fd' else os.readlink(path) if name in ('cwd', 'root') else open(path, 'rb').read(1)
        print('READ', path)
    except PermissionError:
        pass
    try:
        open(path, 'wb').write(b'x')
        print('WROTE', path)
    except OSError:
        pass
print('done')
"""
        ),
        verdict=V.PASSED,
        says="\ndone",
    ),
    "the network": Case(
        script=at_import(
            """
import socket
for address in ('8.8.8.8', '169.254.169.254', '172.17.0.1'):
    try:
        socket.create_connection((address, 80), timeout=1)
        print('CONNECTED', address)
    except OSError:
        pass
try:
    socket.getaddrinfo('example.org', 80)
    print('RESOLVED')
except OSError:
    pass
print([line.split(':')[0].strip() for line in open('/proc/net/dev')][2:], os.path.exists('/var/run/docker.sock'))
"""
        ),
        verdict=V.PASSED,
        says="\n['lo'] False",
    ),
    "writing to the root file system": Case(
        script=at_import(
            """
for folder in ('/', '/etc', '/usr', '/root', '/run', '/var', '/var/tmp', '/opt/mendbench/guest', '/dev', '/sys', '/work', '/work/code'):
    try:
        open(folder + '/x', 'w')
        print('WROTE', folder)
    except OSError:
        pass
for file in ('/work/code/test_solution.py', '/work/code/solution.py', '/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger'):
    try:
        os.chmod(file, 0o777)
        print('CHANGED', file)
    except OSError:
        pass
    try:
        open(file, 'w')
        print('WROTE', file)
    except OSError:
        pass
print('done')
"""
        ),
        verdict=V.PASSED,
        says="\ndone",
    ),
    "powers": Case(
        script=at_import(
            """
status = dict(line.split(':', 1) for line in open('/proc/self/status') if ':' in line)
print({key: status[key].split()[0] for key in ('Uid', 'Gid', 'CapEff', 'CapPrm', 'CapAmb', 'NoNewPrivs', 'Seccomp')})
found = []
for folder, _, files in os.walk('/'):
    if folder.startswith(('/proc', '/sys')):
        continue
    for file in files:
        try:
            if os.lstat(f'{folder}/{file}').st_mode & 0o6000:
                found.append(file)
        except OSError:
            pass
print('setuid', found)
for what in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.nice(-5), lambda: os.chroot('/tmp')):
    try:
        what()
        print('GAINED')
    except OSError:
        pass
"""
        ),
        verdict=V.PASSED,
        says="\n{'Uid': '20002', 'Gid': '20002', 'CapEff': '0000000000000000', 'CapPrm': '0000000000000000', "
        "'CapAmb': '0000000000000000', 'NoNewPrivs': '1', 'Seccomp': '2'}\nsetuid []\n",
    ),
    "raising its own limits": Case(
        script=at_import(
            """
import resource
for what in (resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE):
    try:
        soft, hard = resource.getrlimit(what)
        resource.setrlimit(what, (hard + 1, hard + 1))
        print('RAISED', what)
    except (OSError, ValueError):
        pass
try:
    open('/proc/self/oom_score_adj', 'w').write('-1000')
    print('RAISED oom')
except OSError:
    pass
print('done')
"""
        ),
        verdict=V.PASSED,
        says="\ndone",
    ),
    "its file descriptors": Case(
        script=at_import(
            """
for fd in os.listdir('/proc/self/fd'):
    try:
        target = os.readlink(f'/proc/self/fd/{fd}')
    except OSError:
        continue
    print(int(fd) < 4, target.partition(':')[0])
"""
        ),
        verdict=V.PASSED,
        says="\nTrue /dev/null\nTrue pipe\nTrue pipe\nTrue pipe\n",
    ),
    "its environment": Case(
        script=at_import(
            "print(sorted(k for k in os.environ if 'PROXY' in k.upper() or 'KEY' in k.upper()), os.getcwd())"
        ),
        verdict=V.PASSED,
        says="\n[] /work/run",
    ),
    "symbolic links": Case(
        script=at_import(
            "os.symlink('/etc/shadow', 'out.txt')\nos.symlink('/', 'root')\nos.mkfifo('pipe')\nos.unlink('solution.py')\n"
            "for _ in range(300):\n    os.mkdir('d')\n    os.chdir('d')"
        ),
        verdict=V.PASSED,
    ),
}

FORGERY = {
    "os._exit(0) at import": Case(script=at_import("os._exit(0)", WRONG), verdict=V.TAMPERED),
    "os._exit(0) in a call": Case(script=at_call("os._exit(0)"), verdict=V.TAMPERED),
    "os._exit(1) in a call": Case(script=at_call("os._exit(1)"), verdict=V.TAMPERED),
    "sys.exit(0) at import": Case(script=at_import("sys.exit(0)", WRONG), verdict=V.RUNTIME_ERROR),
    "SystemExit in a call": Case(script=at_call("raise SystemExit(0)"), verdict=V.TESTS_FAILED),
    "KeyboardInterrupt in a call": Case(script=at_call("raise KeyboardInterrupt"), verdict=V.TESTS_FAILED),
    "_exit at exit": Case(
        script=at_import("import atexit\natexit.register(os._exit, 0)", WRONG), verdict=V.TESTS_FAILED
    ),
    "pytest.skip in a call": Case(script=at_call("import pytest\npytest.skip('no')"), verdict=V.TESTS_FAILED),
    "pytest.skip at import": Case(
        script=at_import("import pytest\npytest.skip('no', allow_module_level=True)", WRONG),
        verdict=V.RUNTIME_ERROR,
    ),
    "SkipTest in a call": Case(
        script=at_call("import unittest\nraise unittest.SkipTest"), verdict=V.TESTS_FAILED
    ),
    "pytest.xfail in a call": Case(
        script=at_call("import pytest\npytest.xfail('no')"), verdict=V.TESTS_FAILED
    ),
    "pytest.exit in a call": Case(
        script=at_call("import pytest\npytest.exit('no', returncode=0)"), verdict=V.TESTS_FAILED
    ),
    "printing a summary": Case(
        script=at_import("print('===== 2 passed in 0.01s =====')\nos._exit(0)", WRONG), verdict=V.TAMPERED
    ),
    "forged lines on every fd": Case(
        script=at_import(
            """
import json
lines = [{'event': 'collected', 'ids': [['test_solution.py', 'test_one'], ['test_solution.py', 'test_two']]}]
lines += [{'event': 'test', 'file': 'test_solution.py', 'id': name, 'outcome': 'passed'} for name in ('test_one', 'test_two')]
lines += [{'event': 'finish', 'status': 1}]
for fd in range(3, 100):
    for line in lines:
        try:
            os.write(fd, json.dumps(line).encode() + b'\\n')
        except OSError:
            pass
os._exit(1)
""",
            WRONG,
        ),
        verdict=V.TAMPERED,
    ),
    "garbage on every fd": Case(
        script=at_import(
            "for fd in range(3, 100):\n    try:\n        os.write(fd, b'[' * 60000 + b'\\n{\\xff\\n')\n    except OSError:\n        pass",
        ),
        verdict=V.TAMPERED,
    ),
    "reports by the gigabyte": Case(
        script=at_import('while True:\n    os.write(3, b\'{"event": "start", "x": 1}\\n\' * 1000)'),
        verdict=V.TAMPERED,
    ),
    "a patched report": Case(
        script=at_import(
            """
from _pytest.reports import TestReport
make = TestReport.from_item_and_call
def lie(item, call):
    call.excinfo = None
    return make(item, call)
TestReport.from_item_and_call = lie
""",
            WRONG,
        ),
        verdict=V.TAMPERED,
    ),
    "a patched call": Case(
        script=at_import(
            """
from _pytest.runner import CallInfo
def lie(func, when, reraise=None):
    return CallInfo(result=None, excinfo=None, start=0, stop=0, duration=0, when=when, _ispytest=True)
CallInfo.from_call = staticmethod(lie)
""",
            WRONG,
        ),
        verdict=V.TAMPERED,
    ),
    "tests taken away": Case(
        script=at_import(
            """
import gc
for thing in gc.get_objects():
    if type(thing).__name__ == 'Session':
        thing.config.pluginmanager.register(type('P', (), {'pytest_collection_modifyitems': lambda self, items: items.clear()})())
""",
            WRONG,
        ),
        verdict=V.TAMPERED,
    ),
    "configuration files": Case(
        script=at_import(
            """
hook = 'import pytest\\n@pytest.hookimpl\\ndef pytest_runtest_call(item):\\n    item.obj = lambda: None\\n'
for folder in ('.', '/tmp', os.path.expanduser('~')):
    for name in ('conftest.py', 'sitecustomize.py', 'usercustomize.py', 'random.py', 'json.py'):
        open(f'{folder}/{name}', 'w').write(hook)
    for name in ('pytest.ini', 'tox.ini', 'setup.cfg', 'pyproject.toml'):
        open(f'{folder}/{name}', 'w').write('[pytest]\\naddopts = --collect-only\\n')
os.environ['PYTEST_ADDOPTS'] = '--collect-only'
""",
            WRONG,
        ),
        verdict=V.TESTS_FAILED,
    ),
    "tests of its own": Case(
        script="def f(x):\n    return x + 1\n\ndef test_mine():\n    assert True\n\nclass TestMine:\n    def test_it(self):\n        pass\n",
        verdict=V.PASSED,
        tests=TESTS.replace("import f", "import *"),
    ),
}

BOMBS = {
    "a message of 50 MB": Case(script=at_call("raise ValueError('x' * 50_000_000)"), verdict=V.TESTS_FAILED),
    "100,000 tests": Case(
        script=RIGHT,
        tests="import pytest\nfrom solution import f\n@pytest.mark.parametrize('n', range(100_000))\ndef test_n(n):\n    assert f(n)\n",
        verdict=V.NO_TESTS,
    ),
    "an assertion over 50 MB": Case(script=at_call("return 'x\\n' * 25_000_000"), verdict=V.TESTS_FAILED),
    "a test id of a megabyte": Case(
        script=RIGHT,
        tests="import pytest\nfrom solution import f\n@pytest.mark.parametrize('s', ['y' * 2**20, '\\x1b[31m\\n'])\ndef test_s(s):\n    assert f(1) == 2\n",
        verdict=V.PASSED,
    ),
    "text that is none": Case(
        script=at_call(
            "sys.stdout.buffer.write(b'\\xff\\xfe\\0\\x1b]0;title\\x07\\x1b[2J')\nraise ValueError('\\ud83d \\0 \\x1b[31m')"
        ),
        verdict=V.TESTS_FAILED,
    ),
    "records by the megabyte": Case(
        script=at_call("raise ValueError('\\x01' * 5000)"),
        tests="import pytest\nfrom solution import f\n@pytest.mark.parametrize('n', range(500))\ndef test_n(n):\n    assert f(n)\n",
        verdict=V.TESTS_FAILED,
        flags=frozenset({Flag.REPORT_TRUNCATED}),
    ),
    "5,000 brackets": Case(script="x = " + "(" * 5000 + ")" * 5000, verdict=V.SYNTAX_ERROR),
    "20,000 branches": Case(script="if 0: pass\n" + "elif 0: pass\n" * 20_000, verdict=V.SYNTAX_ERROR),
    "a NUL byte": Case(script="x = 1\0\n", verdict=V.SYNTAX_ERROR),
    "a lone surrogate": Case(script="x = '\ud83d'\n", verdict=V.SYNTAX_ERROR),
    "two megabytes of source": Case(script="x = 1\n" * 350_000, verdict=V.SYNTAX_ERROR),
}

CASES = {**RESOURCES, **PROCESSES, **CAGE, **FORGERY, **BOMBS}


@pytest.fixture(scope="module")
def sandbox():
    with DockerSandbox(RUN_ID) as made:
        yield made


def run(sandbox: DockerSandbox, case: Case) -> RunResult:
    level = Level.PROGRAM if case.tests is None else Level.SHARED
    return sandbox.run(
        Job(id=uuid.uuid4().hex, script=case.script, tests=case.tests, level=level, limits=case.limits)
    )


def leftovers() -> list[str]:
    client = connect()
    try:
        found = client.containers(all=True, filters={"label": f"{LABEL_RUN}={RUN_ID}"})
    finally:
        client.close()
    return [entry["Names"][0] for entry in found]


@pytest.mark.parametrize("name", CASES)
def test_hostile_script(sandbox, name):
    """A hostile script gets exactly the verdict of its case and leaves no container behind."""
    case = CASES[name]

    result = run(sandbox, case)

    assert (judge(result), result.exception) == (case.verdict, result.exception)
    assert case.flags <= set(result.flags)
    assert case.says in "\n" + result.stdout.text
    assert leftovers() == []


@pytest.mark.parametrize("table", [RESOURCES, PROCESSES, CAGE, FORGERY, BOMBS])
def test_next_attempt_is_unharmed(sandbox, table):
    """After a hostile script the next attempt passes as if nothing had been."""
    worst = next(iter(table.values()))

    run(sandbox, worst)
    result = run(sandbox, Case(script=RIGHT, verdict=V.PASSED))

    assert judge(result) is V.PASSED
    assert result.flags == ()


def test_text_is_made_harmless(sandbox):
    """What comes back is valid Unicode without NUL or surrogates, whatever was written."""
    result = run(sandbox, BOMBS["text that is none"])

    texts = [result.stdout.text, *(test.message for test in result.tests)]

    assert all(text.encode() for text in texts)
    assert not any("\0" in text for text in texts)


def test_flood_is_cut_to_head_and_tail(sandbox):
    """Of a flood only the first and last bytes are kept; the rest is counted."""
    case = Case(script=at_import("print('first')\nprint('x' * 500_000)\nprint('last')"), verdict=V.PASSED)

    result = run(sandbox, case)

    assert judge(result) is V.PASSED
    assert result.stdout.head.startswith("first\n")
    assert result.stdout.tail.endswith("last\n")
    assert result.stdout.total_bytes == 500_000 + len("first\nlast\n") + 1
    assert len(result.stdout.head) + len(result.stdout.tail) == Limits().output_bytes
    assert Flag.OUTPUT_TRUNCATED in result.flags


def test_daemon_does_not_cost_the_time_limit(sandbox):
    """A process that outlives the tests and holds the output does not delay the verdict."""
    result = run(sandbox, PROCESSES["daemon that keeps stdout"])

    assert result.wall_s < PATIENT.wall_s / 2
