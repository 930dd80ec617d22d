"""Take one hardening flag away at a time: some case must notice, or the flag is not tested.

Not collected by itself: `make test-flags`.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest
from docker.errors import APIError

from sandbox import container, reaper, session
from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.errors import SandboxError
from sandbox.types import PROFILES

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ENOUGH = 3
"""Cases that notice; no more are looked for."""
PROBES = {
    "cage": [
        "powers",
        "limits as they were set",
        "mounts",
        "writing to the root file system",
        "programs of its own",
        "two processors at once",
        "the network",
        "sockets of other families",
        "forbidden system calls",
        "asynchronous input and output",
        "the system calls of another architecture",
        "its environment",
        "its place among the groups",
    ],
    "limits": [
        "a gigabyte at once",
        "shared memory that outlives its maker",
        "a full shared memory",
        "files without end",
        "a full disk",
        "fork bomb",
    ],
}


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A flag, what it is replaced with, and why it may go unnoticed."""

    name: str
    instead: str
    change: Callable[[dict], None]
    unnoticed: str = ""
    """Empty, or why no case can tell."""


def without(*path, unnoticed=""):
    def change(body):
        for key in path[:-1]:
            body = body[key]
        del body[path[-1]]

    return Flag(name=".".join(path), instead="left out", change=change, unnoticed=unnoticed)


def host(key, value, instead, unnoticed=""):
    def change(body):
        body["HostConfig"][key] = value

    return Flag(name=f"HostConfig.{key}", instead=instead, change=change, unnoticed=unnoticed)


def top(key, value, instead, unnoticed=""):
    def change(body):
        body[key] = value

    return Flag(name=key, instead=instead, change=change, unnoticed=unnoticed)


def tmpfs(word, instead):
    def change(body):
        mounts = body["HostConfig"]["Tmpfs"]
        for place, options in mounts.items():
            kept = [option for option in options.split(",") if not option.startswith(word)]
            mounts[place] = ",".join([*kept, *([instead] if instead else [])])

    return Flag(name=f"Tmpfs {word}", instead=instead or "left out", change=change)


def ulimit(name):
    def change(body):
        limits = body["HostConfig"]["Ulimits"]
        # Left out, the engine's own is taken, which is unlimited on some machines only.
        limits[:] = [
            {"Name": name, "Soft": 999_999, "Hard": 999_999} if one["Name"] == name else one for one in limits
        ]

    return Flag(name=f"Ulimits {name}", instead="999999", change=change)


def security(word, *instead):
    def change(body):
        options = body["HostConfig"]["SecurityOpt"]
        options[:] = [option for option in options if not option.startswith(word)] + list(instead)

    return Flag(name=f"SecurityOpt {word}", instead=" ".join(instead) or "left out", change=change)


def any_network(body):
    del body["NetworkDisabled"]
    del body["HostConfig"]["NetworkMode"]


def more_memory(body):
    # Not left out: what the probes take would be taken from the host.
    body["HostConfig"] |= {"Memory": 2 << 30, "MemorySwap": 2 << 30}


NO_NETWORK = "NetworkDisabled is enough"
FLAGS = [
    without("NetworkDisabled"),
    without("HostConfig", "NetworkMode", unnoticed=NO_NETWORK),
    Flag(name="NetworkDisabled and NetworkMode", instead="left out", change=any_network),
    top("User", "1000:1000", "an ordinary user"),
    without("Env"),
    top(
        "Env",
        ["HTTP_PROXY=http://secret@proxy", "PYTHONHASHSEED=0"],
        "a proxy's address",
        unnoticed="a child's environment is made from nothing, and the warden's cannot be read",
    ),
    top("Tty", True, "a terminal"),
    without("OpenStdin"),
    without("StdinOnce"),
    without("Labels"),
    without("AttachStdin", unnoticed="the attach request names the streams itself"),
    without("AttachStdout", unnoticed="the attach request names the streams itself"),
    without("AttachStderr", unnoticed="the attach request names the streams itself"),
    without("WorkingDir", unnoticed="the image's own is the same"),
    without("StopSignal", unnoticed="containers are removed by force, never stopped"),
    without("HostConfig", "LogConfig"),
    without("HostConfig", "ReadonlyRootfs"),
    Flag(name="HostConfig.Memory", instead="2 GiB", change=more_memory),
    without("HostConfig", "MemorySwap"),
    without("HostConfig", "NanoCpus"),
    # Not left out: the fork bomb among the probes would be the host's.
    host("PidsLimit", 200, "200"),
    without("HostConfig", "IpcMode", unnoticed="the engine's default is private; see host"),
    host("IpcMode", "host", "host"),
    without("HostConfig", "ShmSize"),
    without("HostConfig", "Sysctls", unnoticed="the filter of system calls refuses System V"),
    without("HostConfig", "CgroupnsMode"),
    host("CgroupnsMode", "host", "host"),
    without("HostConfig", "CapDrop"),
    without("HostConfig", "CapAdd"),
    host("CapAdd", ["ALL"], "ALL"),
    host("Privileged", True, "true"),
    host("PidMode", "host", "host"),
    host("UTSMode", "host", "host", unnoticed="the name of the host is no secret, and setting it is refused"),
    host("Binds", ["/etc/hostname:/etc/host-hostname"], "a folder of the host"),
    without("HostConfig", "Tmpfs"),
    tmpfs("noexec", "exec"),
    tmpfs("nosuid", "suid"),
    tmpfs("nodev", "dev"),
    tmpfs("size=", ""),
    tmpfs("nr_inodes=", ""),
    ulimit("nofile"),
    ulimit("fsize"),
    ulimit("core"),
    security("no-new-privileges"),
    security("seccomp"),
    security("seccomp", "seccomp=unconfined"),
]  # fmt: skip


# What can only be seen from outside


def ends_with_its_host(client, body, opened):
    opened.hang_up()
    deadline = time.monotonic() + 10
    while client.inspect_container(opened.name)["State"]["Running"]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def writes_no_log(client, body, opened):
    try:
        client.logs(opened.name)
    except APIError:
        return True
    return False


def is_found_by_the_reaper(client, body, opened):
    return opened.name in reaper.remove_run(
        client, body["Labels"][reaper.LABEL_RUN] if "Labels" in body else "?"
    )


OUTSIDE = {
    "(its log)": writes_no_log,
    "(end of the host)": ends_with_its_host,
    "(reaper)": is_found_by_the_reaper,
}


def noticed_outside(run_id):
    with closing(connect()) as client:
        with DockerSandbox(run_id) as made:
            tag = made.image().tag
        body = container.body(tag, PROFILES["default"], run_id, None, 0)
        try:
            opened = session.open_session(client, body, 20)
        except SandboxError:
            return ["(nothing runs)"]
        try:
            return [name for name, holds in OUTSIDE.items() if not holds(client, body, opened)]
        finally:
            opened.hang_up()
            session.remove(client, opened.name)


def noticed_inside(run_id, cases):
    found = []
    with DockerSandbox(run_id, attempts_per_container=50) as sandbox:
        for case in cases:
            try:
                case.check(sandbox.run(case.job()))
            except (AssertionError, SandboxError):
                found.append(case.name)
            if len(found) == ENOUGH:
                break
    return found


@pytest.fixture(scope="module")
def table(request):
    """Rows of flags and of the cases that notice, printed at the end."""
    rows = []
    yield rows
    lines = [f"| {name} | {instead} | {noticed} |" for name, instead, noticed in rows]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n\n| flag | instead | noticed by |\n|---|---|---|", *lines, sep="\n")


@pytest.fixture
def probes(read_catalogue):
    """The cases that are tried under every change; what is known to be weak says nothing."""
    chosen = [read_catalogue(theme)[name] for theme, names in PROBES.items() for name in names]
    return [case for case in chosen if not case.weakness]


def noticed(probes):
    run_id = f"flags-{uuid.uuid4().hex[:8]}"
    found = noticed_outside(run_id)
    return found if found == ["(nothing runs)"] else found + noticed_inside(run_id, probes)


def test_nothing_is_noticed_with_all_flags(probes):
    """With every flag in place every probe holds."""
    assert noticed(probes) == []


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: f"{flag.name}: {flag.instead}")
def test_missing_flag_is_noticed(monkeypatch, table, probes, flag):
    """Without the flag at least one probe fails, unless it is known that none can."""
    whole = container.body

    def changed(*args):
        body = whole(*args)
        flag.change(body)
        return body

    monkeypatch.setattr(container, "body", changed)

    found = noticed(probes)

    table.append((flag.name, flag.instead, ", ".join(found) or f"nobody: {flag.unnoticed}"))
    assert bool(found) is not bool(flag.unnoticed), found
