"""What the warden reads from the kernel's files, in both layouts of cgroups and where parts are missing."""

import os
import subprocess
import sys

import pytest

from sandbox.guest import folders, kernel

# As a container sees them that has a limit of 64 MiB and 8 processes, has lost one to a lack of memory
# and was refused 22 more.
V1 = {
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "memory/memory.max_usage_in_bytes": "67108864\n",
    "memory/memory.usage_in_bytes": "3825664\n",
    "memory/memory.failcnt": "311\n",
    "memory/cgroup.procs": "1\n7\n8\n",
    "pids/pids.events": "max 22\n",
    "pids/pids.max": "8\n",
    "pids/cgroup.procs": "1\n7\n8\n",
    "cpu/cpu.stat": "nr_periods 9\nnr_throttled 3\nthrottled_time 81234567\nnr_bursts 0\nburst_time 0\n",
    "cpuacct/cpuacct.usage": "146139262\n",
    "cpuacct/cpuacct.stat": "user 9\nsystem 5\n",
    "cpuacct/cgroup.procs": "1\n7\n8\n",
}
V2 = {
    "cgroup.procs": "1\n7\n8\n",
    "cgroup.events": "populated 1\nfrozen 0\n",
    "memory.events": "low 0\nhigh 0\nmax 311\noom 2\noom_kill 1\noom_group_kill 0\n",
    "memory.peak": "67108864\n",
    "memory.max": "67108864\n",
    "pids.events": "max 22\n",
    "pids.max": "8\n",
    "cpu.stat": "usage_usec 146139\nuser_usec 91034\nsystem_usec 55105\nnice_usec 0\ncore_sched.force_idle_usec 0\n"
    "nr_periods 9\nnr_throttled 3\nthrottled_usec 81234\nnr_bursts 0\nburst_usec 0\n",
}
KNOWN = kernel.Counters(oom_kills=1, pids_denied=22, cpu_s=pytest.approx(0.146, abs=0.001))
UNKNOWN = kernel.Counters(oom_kills=None, pids_denied=None, cpu_s=None)


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Lays files out as /sys/fs/cgroup for the guest."""
    monkeypatch.setattr(kernel, "_CGROUP", tmp_path)

    def lay(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return lay


def without(files, *parts):
    return {name: text for name, text in files.items() if not name.startswith(parts)}


@pytest.mark.parametrize("files", [V1, V2], ids=["version 1", "version 2"])
def test_both_layouts_say_the_same(cgroup, files):
    """Memory kills, refused processes, CPU seconds and the peak come out of either version's files."""
    cgroup(files)

    assert kernel.Counters.read() == KNOWN
    assert kernel.memory_peak() == 64 << 20


def test_joined_controllers(cgroup):
    """Where version 1 mounts CPU time and accounting together, under one name, it is found there."""
    cgroup({f"cpu,{name}" if name.startswith("cpuacct") else name: text for name, text in V1.items()})

    assert kernel.Counters.read() == KNOWN


def test_hybrid(cgroup):
    """A version 2 hierarchy without controllers beside version 1 changes nothing."""
    cgroup({**V1, "unified/cpu.stat": "usage_usec 999999999\n", "unified/cgroup.procs": "0\n1\n"})

    assert kernel.Counters.read() == KNOWN


def test_nothing_is_there(cgroup):
    """Without cgroups everything is unknown, and nothing that is unknown counts as risen."""
    cgroup({})

    assert kernel.Counters.read() == UNKNOWN
    assert kernel.memory_peak() is None
    assert not kernel.rose(None, None)
    assert not kernel.rose(None, 5)
    assert not kernel.rose(5, None)
    assert not kernel.rose(5, 5)
    assert kernel.rose(5, 6)


def test_controllers_that_were_not_delegated(cgroup):
    """A rootless engine may be given no controllers: CPU time is there all the same, the rest is unknown."""
    cgroup(without(V2, "memory", "pids"))

    assert kernel.Counters.read() == kernel.Counters(oom_kills=None, pids_denied=None, cpu_s=KNOWN.cpu_s)
    assert kernel.memory_peak() is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (without(V1, "pids"), (1, None)),
        (without(V1, "memory"), (None, 22)),
        (without(V2, "pids"), (1, None)),
        (without(V2, "memory"), (None, 22)),
    ],
)
def test_one_controller_is_missing(cgroup, files, expected):
    """A missing controller leaves what the others count."""
    cgroup(files)

    counters = kernel.Counters.read()

    assert (counters.oom_kills, counters.pids_denied) == expected


def test_older_kernels(cgroup):
    """Kernels before 4.13 do not count kills, those before 5.19 know no peak in version 2."""
    cgroup({**V1, "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n"})
    assert kernel.Counters.read().oom_kills is None


def test_peak_is_younger_than_version_2(cgroup):
    """Without the file of the peak the peak is unknown, and all else is not."""
    cgroup(without(V2, "memory.peak"))

    assert kernel.memory_peak() is None
    assert kernel.Counters.read() == KNOWN


def test_the_whole_host_s_counters_are_not_ours(cgroup):
    """The root of the host, where outsiders are listed as 0, says nothing about this container."""
    cgroup(
        {
            "cgroup.procs": "0\n0\n0\n1\n7\n",
            "cpu.stat": "usage_usec 18087099752\nuser_usec 14541109162\nsystem_usec 3545990589\n",
        }
    )

    assert kernel.Counters.read() == UNKNOWN


def test_a_cgroup_shared_with_the_engine_is_not_ours(cgroup):
    """Without a cgroup of its own the container's counters are everybody's: better none than those."""
    cgroup({**V2, "cgroup.procs": "0\n1\n"})

    assert kernel.Counters.read() == UNKNOWN
    assert kernel.memory_peak() is None


@pytest.mark.parametrize(
    "text", ["", "\n", "oom_kill\n", "oom_kill max\n", "oom_kill -1\n", "xoom_kill 3\n", "\0\n"]
)
def test_strange_contents_are_unknown(cgroup, text):
    """A file that does not say it in the known way says nothing."""
    cgroup({"memory.events": text, "memory.peak": "max\n"})

    assert kernel.Counters.read().oom_kills is None
    assert kernel.memory_peak() is None


# /proc


def test_run_delay_is_the_process_s_own():
    """A running process has waited some time for its CPU, in seconds; one that is not there has not."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        delay = kernel.run_delay_s(child.pid)
    finally:
        child.communicate(b"\n")

    assert delay is not None
    assert 0 <= delay < 60
    assert kernel.run_delay_s(child.pid) is None


def test_only_a_process_that_has_ended_is_not_alive():
    """The state is read behind the name, which may itself look like a state."""
    renamed = ["sh", "-c", "printf ') Z (' > /proc/self/comm; echo; read never"]
    with subprocess.Popen(renamed, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        running = kernel._is_alive(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        ended = kernel._is_alive(child.pid)

    assert (running, ended) == (True, False)
    assert not kernel._is_alive(child.pid)


# /proc/net

QUIET = "sockets: used {used}\nTCP: inuse {tcp} orphan 4 tw {tw} alloc 9 mem 3\nUDP: inuse {udp} mem 2\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 7 memory 7\n"
QUIET_6 = "TCP6: inuse {tcp}\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 7 memory 7\n"
TABLE = "  sl  local_address rem_address   st\n"


@pytest.mark.parametrize(
    ("counts", "counts_6", "expected"),
    [
        ({"tcp": 0, "tw": 0, "udp": 0}, {"tcp": 0}, 0),
        ({"tcp": 1, "tw": 0, "udp": 0}, {"tcp": 0}, 1),
        ({"tcp": 0, "tw": 2, "udp": 0}, {"tcp": 0}, 2),
        ({"tcp": 0, "tw": 0, "udp": 3}, {"tcp": 4}, 7),
    ],
)
def test_sockets_are_counted_without_those_of_the_host(tmp_path, counts, counts_6, expected):
    """Open sockets and remembered connections of this container count; memory and orphans are the whole host's."""
    (tmp_path / "sockstat").write_text(QUIET.format(used=5, **counts))
    (tmp_path / "sockstat6").write_text(QUIET_6.format(**counts_6))

    assert folders._sockets(tmp_path) == expected


def test_sockets_without_the_newer_family(tmp_path):
    """A kernel without IPv6 has one of the two files."""
    (tmp_path / "sockstat").write_text(QUIET.format(used=5, tcp=2, tw=0, udp=0))

    assert folders._sockets(tmp_path) == 2


def test_sockets_where_only_the_tables_are(tmp_path):
    """Without counts the tables' lines are counted."""
    (tmp_path / "tcp").write_text(TABLE + "   0: 0100007F:1092 00000000:0000 0A\n")
    (tmp_path / "udp6").write_text(TABLE)

    assert folders._sockets(tmp_path) == 1
