"""The doctor: what an engine says of itself becomes findings with mends, and nothing makes it stumble."""

import json
import os
import shutil
import socket
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from evaluator.config import SandboxSection
from evaluator.doctor import engine, limits, machine, walls
from evaluator.doctor.finding import GIB, Finding, State, Wishes, looked, ok
from evaluator.doctor.inside import look_inside
from evaluator.doctor.programs import PROGRAMS, run_programs
from evaluator.doctor.unreachable import explain
from sandbox.errors import EngineUnavailable, LostResult, SandboxError
from sandbox.fake import FakeSandbox, fake_result
from sandbox.hosts import DockerHost
from sandbox.types import Level, Stream

INFO = {
    "Name": "elsewhere",
    "OSType": "linux",
    "Architecture": "x86_64",
    "Driver": "overlay2",
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "NCPU": 4,
    "MemTotal": 8 * GIB,
    "Runtimes": {"io.containerd.runc.v2": {"path": "runc"}, "runc": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=userns", "name=cgroupns"],
}
VERSION = {"Version": "26.1.5", "ApiVersion": "1.45", "Components": [{"Name": "Engine"}]}
NOW = 1_790_000_000.0


def passing(job):
    return fake_result(job, {"test_it": "passed"})


def failing(job):
    return fake_result(job, {"test_it": "failed"})


def patient(info=None, version=None, **host):
    """An engine that is fit but for what is changed."""
    return engine.Engine(
        host=DockerHost(**{"slots": 4, **host}),
        address="tcp://elsewhere:2376",
        info=INFO | (info or {}),
        version=VERSION | (version or {}),
        asked_at=NOW,
    )


def all_findings(patient, wishes=None):
    wishes = wishes or Wishes()
    looks = [
        engine.identity(patient),
        limits.control_groups(patient),
        engine.runtime(patient, wishes),
        walls.seccomp(patient),
        walls.user_namespace(patient),
        limits.swap(patient),
        limits.memory(patient, wishes),
        limits.cpus(patient, wishes),
        engine.clock(patient),
    ]
    return [finding for look in looks for finding in look]


def unlike_ok(patient, wishes=None):
    return {f.check: f for f in all_findings(patient, wishes) if f.state is not State.OK}


def test_fit_engine_has_nothing_to_mend():
    """An engine that has everything gives findings that are all right, each of another name."""
    findings = all_findings(patient({"SystemTime": datetime.fromtimestamp(NOW, UTC).isoformat()}))

    assert [f.state for f in findings] == [State.OK] * 9
    assert len({f.check for f in findings}) == 9
    assert "26.1.5" in findings[0].what


@pytest.mark.parametrize(
    ("info", "check", "state", "mend"),
    [
        ({"OSType": "windows"}, "engine", State.BAD, "Linux containers"),
        ({"MemoryLimit": False}, "cgroups", State.BAD, "cgroup_enable=memory"),
        (
            {"CgroupDriver": "none", "SecurityOptions": ["name=seccomp", "name=rootless"]},
            "cgroups",
            State.BAD,
            "Delegate",
        ),
        ({"PidsLimit": False}, "cgroups", State.BAD, "control groups"),
        ({"SecurityOptions": ["name=userns"]}, "seccomp", State.BAD, "CONFIG_SECCOMP"),
        ({"SecurityOptions": ["name=seccomp,profile=default"]}, "users", State.NOTE, "userns-remap"),
        ({"SwapLimit": False}, "swap", State.NOTE, "swapaccount=1"),
        ({"MemTotal": GIB // 4}, "memory", State.BAD, "smaller profile"),
        ({"MemTotal": GIB}, "memory", State.NOTE, "slots = 2"),
        ({"NCPU": 2}, "cpus", State.NOTE, "slots = 2"),
        ({"SystemTime": "2020-01-01T00:00:00.123456789Z"}, "clock", State.NOTE, "set-ntp"),
    ],
)
def test_engine_that_lacks_something(info, check, state, mend):
    """What an engine lacks is one finding of its name, and says what to do."""
    found = unlike_ok(patient(info))

    assert set(found) == {check}
    assert found[check].state is state
    assert mend in found[check].mend


@pytest.mark.parametrize(
    ("version", "state", "mend"),
    [
        ({"ApiVersion": "1.40"}, State.BAD, "20.10 or later"),
        ({"ApiVersion": "1.100"}, State.OK, ""),
        ({"Components": [{"Name": "Podman Engine"}]}, State.NOTE, "only Docker's own engine"),
    ],
)
def test_other_engines(version, state, mend):
    """An engine that is too old is bad; one that is another product is noted; a later one is fine."""
    (finding,) = engine.identity(patient(version=version))

    assert finding.state is state
    assert mend in finding.mend


def test_runtime_that_the_engine_does_not_know():
    """A configured runtime has to be one of the engine's; the mend is the entry that is missing."""
    (finding,) = engine.runtime(patient(), Wishes(sandbox=SandboxSection(runtime="runsc")))
    entry = finding.mend.partition(": ")[2].splitlines()[0]

    assert finding.state is State.BAD
    assert json.loads(entry) == {"runtimes": {"runsc": {"path": "/usr/bin/runsc"}}}
    (known,) = engine.runtime(patient(), Wishes(sandbox=SandboxSection(runtime="runc")))
    assert known.state is State.OK


def test_profile_that_asks_for_more_cpus_than_there_are():
    """A profile that the engine would refuse is bad, not only slow."""
    wishes = Wishes(sandbox=SandboxSection(profile="large"))

    assert unlike_ok(patient({"NCPU": 1}, slots=1), wishes)["cpus"].state is State.BAD


def test_engine_that_says_nothing():
    """An engine whose answers are empty is judged without stumbling."""
    silent = engine.Engine(host=DockerHost(slots=1), address="tcp://x:1", info={}, version={}, asked_at=NOW)

    assert {"engine", "seccomp", "users"} <= set(unlike_ok(silent))


@pytest.mark.parametrize("skew", [-3600, -30, 30, 3600])
def test_clocks_that_differ(skew):
    """Up to a minute between two clocks is nothing; more is said in seconds, and in which direction."""
    text = (datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=skew)).isoformat()
    (finding,) = engine.clock(patient({"SystemTime": text}))

    assert (finding.state is State.OK) == (abs(skew) < 60)
    if finding.state is not State.OK:
        assert f"{abs(skew)} s {'ahead' if skew > 0 else 'behind'}" in finding.what


def test_local_engine_is_judged_by_free_memory(monkeypatch):
    """On this machine, memory that others hold does not count; elsewhere it cannot be seen."""
    monkeypatch.setattr(limits, "_available", lambda: GIB)
    near = engine.Engine(
        host=DockerHost(slots=4),
        address="unix:///var/run/docker.sock",
        info=INFO | {"Name": socket.gethostname()},
        version=VERSION,
        asked_at=NOW,
    )

    (here,) = limits.memory(near, Wishes())
    (there,) = limits.memory(patient(), Wishes())

    assert here.state is State.NOTE
    assert "1.0 of it free now" in here.what
    assert there.state is State.OK


# What is looked at from here


def test_full_disk(monkeypatch, tmp_path):
    """Too little space for runs is bad, and says of which folder's disk."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=100))

    (finding,) = machine.disk(tmp_path / "not" / "yet" / "runs")

    assert finding.state is State.BAD
    assert str(tmp_path) in finding.mend


def test_folder_that_cannot_be_written(monkeypatch, tmp_path):
    """Where runs cannot be written is bad, too, whatever space there is."""
    monkeypatch.setattr(os, "access", lambda *_args: False)

    assert State.BAD in {finding.state for finding in machine.disk(tmp_path)}


def test_clock_of_yesteryear(monkeypatch):
    """A clock that is behind the installed files is noted."""
    monkeypatch.setattr(time, "time", lambda: 0.0)

    (finding,) = machine.clock()

    assert finding.state is State.NOTE


@pytest.mark.parametrize(
    ("host", "variable", "mend"),
    [
        (DockerHost(url="tcp://there:2376"), None, "docker -H tcp://there:2376 version"),
        (DockerHost(), "unix:///nowhere/docker.sock", "unset DOCKER_HOST"),
        (DockerHost(), None, "docker"),
    ],
)
def test_no_engine(monkeypatch, host, variable, mend):
    """Where no engine answers, the way to mend it depends on who named the address."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if variable:
        monkeypatch.setenv("DOCKER_HOST", variable)

    finding = explain(host, EngineUnavailable("it does not answer"))

    assert finding.state is State.BAD
    assert (variable or host.url or "/var/run/docker.sock") in finding.what
    assert mend in finding.mend


def test_socket_without_permission(monkeypatch, tmp_path):
    """A socket that this user may not use is told from an engine that is not there."""
    there = tmp_path / "docker.sock"
    there.touch()
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr("evaluator.doctor.unreachable.address_of", lambda _host: f"unix://{there}")
    monkeypatch.setattr(os, "access", lambda *_args: False)

    assert "usermod -aG docker" in explain(DockerHost(), EngineUnavailable("no")).mend


def test_look_that_fails_is_a_finding():
    """Neither our own errors nor a stumble of the doctor ends the examination."""

    def ours():
        yield ok("a", "first")
        raise SandboxError("mend me so")

    def stumble():
        raise KeyError("surprise")

    first, second = looked("a", ours)
    (third,) = looked("b", stumble)

    assert (first.state, second.state, second.mend) == (State.OK, State.BAD, "mend me so")
    assert third.state is State.BAD
    assert "KeyError" in third.what


# Programs


def test_sandbox_that_passes_everything_is_found_out():
    """Where every program passes, each that should not have is named."""
    findings = list(run_programs(FakeSandbox(passing)))
    named = {finding.what.partition(":")[0] for finding in findings if finding.state is State.BAD}

    assert named == {program.what for program in PROGRAMS if "passed" not in program.right}
    assert all(finding.mend for finding in findings if finding.state is State.BAD)


def test_sandbox_that_fails_everything_is_found_out():
    """Where every program fails, the good ones are named."""
    findings = list(run_programs(FakeSandbox(failing)))
    named = {finding.what.partition(":")[0] for finding in findings if finding.state is State.BAD}

    assert {program.what for program in PROGRAMS if "passed" in program.right} <= named


def test_program_that_is_lost_does_not_stop_the_others():
    """A container that breaks is one bad finding; the other programs are run all the same."""

    def lose(job):
        if "fork" in job.script:
            raise LostResult("gone")
        return passing(job)

    findings = list(run_programs(FakeSandbox(lose)))

    assert len(findings) == len(PROGRAMS)
    assert [finding.mend.splitlines()[0] for finding in findings if "could not be run" in finding.what] == [
        "gone"
    ]


def test_engine_that_goes_stops_the_programs():
    """When the engine goes, the rest is not tried one by one."""
    asked = []

    def die(job):
        asked.append(job)
        raise EngineUnavailable("gone")

    assert [f.state for f in looked("programs", lambda: run_programs(FakeSandbox(die)))] == [State.BAD]
    assert len(asked) == 1


FACTS = {
    "uid": 20001,
    "capabilities": 0,
    "no_new_privs": "1",
    "seccomp": "2",
    "io_uring": False,
    "interfaces": ["lo"],
    "free_bytes": 10 * GIB,
    "kernel": "6.1.0",
}


def inside(**facts):
    def answer(job):
        assert job.level is Level.PROGRAM
        return fake_result(job, stdout=Stream(head=json.dumps(FACTS | facts)))

    return {finding.check: finding for finding in look_inside(FakeSandbox(answer), "6.1.0")}


@pytest.mark.parametrize(
    ("facts", "check", "state"),
    [
        ({}, "walls", State.OK),
        ({"uid": 0}, "walls", State.BAD),
        ({"capabilities": 0x20}, "walls", State.BAD),
        ({"no_new_privs": "0"}, "walls", State.BAD),
        ({"interfaces": ["eth0", "lo"]}, "walls", State.BAD),
        ({"seccomp": "0"}, "walls", State.BAD),
        ({"seccomp": "0", "no_new_privs": "", "kernel": "4.4.0"}, "walls", State.OK),
        ({"io_uring": True}, "walls", State.NOTE),
        ({"free_bytes": GIB}, "disk", State.BAD),
    ],
)
def test_walls_seen_from_inside(facts, check, state):
    """Each wall that is missing around a program is a finding, and so is the engine's full disk."""
    assert inside(**facts)[check].state is state


def test_container_that_says_nothing_of_itself():
    """A reporter that fails is a finding with its last words."""
    (finding,) = looked("walls", lambda: look_inside(FakeSandbox(passing), ""))

    assert finding.state is State.BAD


# The command


def test_command_says_what_is_wrong_with_the_configuration(tmp_path, monkeypatch):
    """A broken bench.toml is the first finding; everything else is looked at with the defaults."""
    monkeypatch.setattr(
        "evaluator.doctor.examine.examine", lambda wishes, _open: iter([ok("x", wishes.profile.name)])
    )
    config = tmp_path / "bench.toml"
    config.write_text("[sandbox]\nprofil = 'large'\n")
    from evaluator.commands.doctor import command

    result = CliRunner().invoke(command, ["--config", str(config), "--json"], standalone_mode=False)
    first, second = json.loads(result.output)

    assert (first["state"], first["check"], second["what"]) == ("bad", "config", "default")
    assert "did you mean 'profile'" in first["mend"]
    assert result.return_value == 3


def test_command_shows_nothing_that_moves_a_cursor(monkeypatch):
    """What an engine says of itself is made safe for a terminal; an exit code of 0 means fit."""
    hostile = Finding(
        state=State.NOTE, check="engine", what="a\x1b[2Jb\nc", mend="d\x1b]0;x\x07e\nf", host="h"
    )
    monkeypatch.setattr("evaluator.doctor.examine.examine", lambda *_args: iter([hostile]))
    from evaluator.commands.doctor import command

    result = CliRunner().invoke(command, ["--config", os.devnull], standalone_mode=False)

    assert "\x1b" not in result.output
    assert [line.strip() for line in result.output.splitlines()] == [
        "note engine    ab c",
        "→ de",
        "→ f",
        "fit",
    ]
    assert result.return_value == 0


def test_several_hosts_are_examined_each(monkeypatch):
    """Hosts named on the command line are all looked at, in their order, each once."""
    seen = []
    monkeypatch.setattr(
        "evaluator.doctor.examine.examine", lambda wishes, _open: seen.extend(wishes.hosts) or iter([])
    )
    from evaluator.commands.doctor import command

    urls = ["--host", "tcp://b:1", "--host", "tcp://a:1", "--host", "tcp://b:1"]
    CliRunner().invoke(command, [*urls, "--config", os.devnull], standalone_mode=False)

    assert [host.url for host in seen] == ["tcp://b:1", "tcp://a:1"]
