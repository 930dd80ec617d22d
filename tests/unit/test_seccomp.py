"""The seccomp profile: its form, its names, and what the filter made of it decides on both architectures."""

import ctypes
import ctypes.util
import json
import platform
import struct
import tempfile
from collections import Counter
from dataclasses import dataclass

import pytest

from sandbox import container, seccomp
from sandbox.types import PROFILES

DANGEROUS = """
    acct add_key adjtimex bpf chroot clock_adjtime clock_settime clone3 create_module delete_module
    execveat fanotify_init fanotify_mark finit_module fsconfig fsmount fsopen fspick get_kernel_syms
    get_mempolicy init_module io_setup io_uring_enter io_uring_register io_uring_setup ioperm iopl
    ioprio_set kcmp kexec_file_load kexec_load keyctl landlock_create_ruleset listmount lookup_dcookie
    mbind memfd_secret migrate_pages mlock mlock2 mlockall modify_ldt mount mount_setattr move_mount
    move_pages mq_open msgget name_to_handle_at nfsservctl open_by_handle_at open_tree perf_event_open
    pidfd_getfd pivot_root pkey_alloc process_madvise process_vm_readv process_vm_writev ptrace quotactl
    quotactl_fd reboot remap_file_pages request_key sched_setattr sched_setparam sched_setscheduler
    seccomp semget set_mempolicy setdomainname setfsgid setfsuid sethostname setns settimeofday shmat
    shmget splice statmount swapoff swapon sync syncfs syslog tee timer_create umount umount2 unshare
    uselib userfaultfd ustat vhangup vm86 vmsplice
"""
NEVER_ON_AARCH64 = """
    access chmod dup2 fork link mkdir open pipe poll rename select stat unlink vfork
"""


def names(action):
    entries = [entry for entry in seccomp.profile()["syscalls"] if entry["action"] == action]
    return [name for entry in entries for name in entry["names"]]


# Form


def test_container_gets_the_profile_as_text():
    """The Engine API takes the profile itself, not the path of a file."""
    body = container.body("image", PROFILES["default"], "run", None, 0)

    (option,) = [text for text in body["HostConfig"]["SecurityOpt"] if text.startswith("seccomp=")]

    assert json.loads(option.removeprefix("seccomp=")) == seccomp.profile()


def test_form_is_the_engine_s():
    """Every key, action and operator is one that the engine and the runtime know."""
    profile = seccomp.profile()

    assert set(profile) == {"defaultAction", "archMap", "syscalls"}
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    for entry in profile["syscalls"]:
        assert set(entry) <= {"names", "action", "args", "errnoRet", "includes"}
        assert entry["names"]
        assert entry["action"] in {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}
        assert ("errnoRet" in entry) == (entry["action"] == "SCMP_ACT_ERRNO")
        assert entry.get("includes", {"arches": ["amd64"]}) == {"arches": ["amd64"]}


def test_tests_of_arguments_have_one_per_argument():
    """The runtime takes two tests of one argument for alternatives, which would open more than is meant."""
    for entry in seccomp.profile()["syscalls"]:
        tests = entry.get("args", [])

        assert len({test["index"] for test in tests}) == len(tests)
        for test in tests:
            assert set(test) == {"index", "value", "valueTwo", "op"}
            assert test["op"] == "SCMP_CMP_MASKED_EQ"
            assert 0 <= test["index"] < 6
            assert test["valueTwo"] & ~test["value"] == 0, "a test that can never hold"


def test_no_sub_architecture():
    """Calls of the 32-bit kinds are no part of the filter."""
    assert seccomp.profile()["archMap"] == [
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
    ]


# Names


def test_nothing_is_said_twice():
    """A call is open, open for some arguments, or absent, and each list names it once."""
    outright = [name for text in seccomp.OPEN.values() for name in text.split()]
    outright += seccomp.OPEN_X86_64.split()
    absent = names("SCMP_ACT_ERRNO")
    rules = [*seccomp.RULES, *seccomp.RULES_X86_64]
    partly = {rule.name for rule in rules}

    assert [name for name, count in Counter(outright + absent + list(partly)).items() if count > 1] == []
    assert len(set(rules)) == len(rules)


def test_nothing_dangerous_is_open():
    """Calls that reach out of the cage, or into parts of the kernel that no script needs, are closed."""
    assert set(DANGEROUS.split()).intersection(names("SCMP_ACT_ALLOW")) == set()


def test_dangerous_arguments_are_not_listed():
    """Neither an ioctl that types into a terminal or loads a driver, nor a prctl that changes the cage, is open."""
    requests, options = set(seccomp.IOCTL.values()), set(seccomp.PRCTL.values())

    assert requests.isdisjoint({0x5412, 0x541C, 0x541D, 0x5423})  # TIOCSTI, LINUX, CONS, SETD
    assert options.isdisjoint(
        {8, 22, 24, 28, 35, 47, 53}
    )  # KEEPCAPS, SECCOMP, CAPBSET_DROP, SECUREBITS, MM, …


def test_aarch64_is_not_given_what_it_never_had():
    """The older calls are in entries that other machines' engines leave out."""
    for entry in seccomp.profile()["syscalls"]:
        old = set(entry["names"]).intersection(NEVER_ON_AARCH64.split())

        assert not old or entry.get("includes") == {"arches": ["amd64"]}, old


# Decisions: the profile goes through libseccomp as in the runtime, and its program is run here


ALLOW, KILL_THREAD = 0x7FFF_0000, 0
EPERM, ENOSYS = 1, 38
MASKED_EQ, OPTIMIZE = 7, 8
TOKENS = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
I386, ARM = 0x4000_0003, 0x4000_0028
GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def refused(errno):
    """What the filter returns for a refusal."""
    return 0x5_0000 | errno


class Comparison(ctypes.Structure):
    """libseccomp's `struct scmp_arg_cmp`."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def library():
    name = ctypes.util.find_library("seccomp")
    if name is None or platform.machine() not in TOKENS:
        pytest.skip("libseccomp is not here")
    found = ctypes.CDLL(name)
    found.seccomp_init.restype = ctypes.c_void_p
    found.seccomp_release.restype = None
    return found


@dataclass(frozen=True)
class Filter:
    """The BPF program that the profile becomes on one architecture."""

    arch: str
    program: tuple[tuple[int, int, int, int], ...]
    lib: ctypes.CDLL

    def number(self, name):
        return self.lib.seccomp_syscall_resolve_name_arch(TOKENS[self.arch], name.encode())

    def call(self, name, *args):
        return self.decide(self.number(name), args)

    def decide(self, number, args=(), token=None):
        values = [value & 0xFFFF_FFFF_FFFF_FFFF for value in (*args, *[0] * (6 - len(args)))]
        token = TOKENS[self.arch] if token is None else token
        return run(self.program, struct.pack("<iIQ6Q", number, token, 0, *values))


def run(program, data):
    """Run a classic BPF program, as far as filters use it, over `struct seccomp_data`."""
    at = register = 0
    while True:
        code, jump_true, jump_false, k = program[at]
        at += 1
        if code == 0x06:  # return
            return k
        if code == 0x20:  # load
            (register,) = struct.unpack_from("<I", data, k)
        elif code == 0x54:  # and
            register &= k
        elif code == 0x05:  # jump
            at += k
        else:
            holds = {0x15: register == k, 0x25: register > k, 0x35: register >= k, 0x45: bool(register & k)}
            at += jump_true if holds[code] else jump_false


def add_entry(lib, context, entry):
    action = ALLOW if entry["action"] == "SCMP_ACT_ALLOW" else refused(entry["errnoRet"])
    tests = [Comparison(t["index"], MASKED_EQ, t["value"], t["valueTwo"]) for t in entry.get("args", [])]
    for name in entry["names"]:
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            continue  # newer than the library; the runtime leaves it out as well
        array = (Comparison * len(tests))(*tests)
        assert lib.seccomp_rule_add_array(context, action, number, len(tests), array) == 0, name


def compile_filter(lib, arch, optimize):
    context = ctypes.c_void_p(lib.seccomp_init(refused(EPERM)))
    try:
        if arch != platform.machine():
            assert lib.seccomp_arch_add(context, TOKENS[arch]) == 0
            assert lib.seccomp_arch_remove(context, 0) == 0
        assert lib.seccomp_attr_set(context, OPTIMIZE, optimize) == 0
        for entry in seccomp.profile()["syscalls"]:
            if GO_NAMES[arch] in entry.get("includes", {}).get("arches", [GO_NAMES[arch]]):
                add_entry(lib, context, entry)
        with tempfile.TemporaryFile() as file:
            assert lib.seccomp_export_bpf(context, file.fileno()) == 0
            file.seek(0)
            program = tuple(struct.iter_unpack("<HBBI", file.read()))
    finally:
        lib.seccomp_release(context)
    return Filter(arch, program, lib)


@pytest.fixture(
    scope="module", params=[("x86_64", 1), ("x86_64", 2), ("aarch64", 1), ("aarch64", 2)], ids=str
)
def made(request):
    """The filter of both architectures, as older (1) and newer (2) runtimes lay it out."""
    return compile_filter(library(), *request.param)


def known(made, listed):
    """Those of the names that the library here knows."""
    numbers = {name: made.number(name) for name in listed}
    return {name: number for name, number in numbers.items() if number != -1}


def test_what_is_open_is_open(made):
    """All that is listed as open is allowed, and exists on that architecture."""
    listed = " ".join(seccomp.OPEN.values()) + (seccomp.OPEN_X86_64 if made.arch == "x86_64" else "")
    numbers = known(made, listed.split())

    assert [name for name, number in numbers.items() if number < 0] == []
    assert [name for name in numbers if made.call(name) != ALLOW] == []


def test_what_is_absent_is_absent(made):
    """What callers fall back from is refused as unknown to the kernel."""
    numbers = known(made, seccomp.ABSENT.split())

    assert [name for name in numbers if made.call(name) != refused(ENOSYS)] == []


def test_all_else_is_refused(made):
    """Of all call numbers, none is allowed that the lists do not name."""
    listed = names("SCMP_ACT_ALLOW")
    numbers = {made.number(name) for name in listed}

    allowed = {number for number in range(1000) if made.decide(number) == ALLOW}

    assert allowed <= numbers


def test_other_architectures_end_the_caller(made):
    """A call through the 32-bit doors never reaches the kernel."""
    assert made.decide(20, token=I386) == KILL_THREAD
    assert made.decide(20, token=ARM) == KILL_THREAD
    if made.arch == "x86_64":
        assert {made.decide(0x4000_0000 | number) for number in range(600)} == {KILL_THREAD}


HIGH = 1 << 32
"""Set where the kernel does not look: it must make no difference."""
DECISIONS = [
    ("clone", (0x11,), True),
    ("clone", (0x3D0F00,), True),  # a thread
    *(("clone", (0x11 | 1 << bit,), False) for bit in (17, 25, 26, 27, 28, 29, 30)),
    ("mmap", (0, 4096, 7, 0x22), True),
    ("mmap", (0, 4096, 3, 0x4_0022), False),
    ("memfd_create", (0, 3), True),
    ("memfd_create", (0, 4), False),
    ("personality", (0xFFFF_FFFF,), True),
    ("personality", (0x4_0000,), False),
    ("socket", (1, 0x8_0005, 0), True),
    ("socket", (2, 0x8_0801, 6), True),
    ("socket", (10 | HIGH, 2 | HIGH, 17 | HIGH), True),
    *(("socket", (family, 1, 0), False) for family in range(47) if family not in {1, 2, 10}),
    ("socket", (16 | HIGH, 3, 0), False),
    *(("socket", (2, kind, 0), False) for kind in (3, 4, 5, 6, 10)),
    *(("socket", (2, 1, protocol), False) for protocol in (1, 17, 132, 256, 262)),
    *(("socket", (10, 2, protocol), False) for protocol in (1, 6, 58, 115, 136)),
    ("socketpair", (1, 5, 0), True),
    ("socketpair", (2, 1, 0), False),
    ("socketpair", (30, 1, 0), False),
    *(("setsockopt", (3, 1, option), True) for option in (2, 6, 7, 9, 13, 15, 16, 20, 21)),
    *(("setsockopt", (3, 1, option), False) for option in (25, 26, 50, 51, 52, 60)),
    ("setsockopt", (3, 6, 1), True),
    ("setsockopt", (3, 6, 31), False),
    ("setsockopt", (3, 6 | HIGH, 31 | HIGH), False),
    ("setsockopt", (3, 0, 35), True),
    ("setsockopt", (3, 0, 64), False),
    ("setsockopt", (3, 41, 26), True),
    ("setsockopt", (3, 41, 64), False),
    ("setsockopt", (3, 263, 1), False),
    ("prctl", (4, 0), True),
    ("prctl", (22, 2), False),
    ("prctl", (35, 1), False),
    ("ioctl", (0, 0x5401), True),
    ("ioctl", (0, 0x5401 | HIGH), True),
    ("ioctl", (0, 0x5412), False),
    ("ioctl", (0, 0x5412 | HIGH), False),
    ("ioctl", (0, 0x5423), False),
    ("mknodat", (0, 0, 0o010600), True),
    ("mknodat", (0, 0, 0o000600), True),
    ("mknodat", (0, 0, 0o020600), False),
    ("mknodat", (0, 0, 0o060600), False),
    ("mknodat", (0, 0, 0o140600), False),
]


def test_arguments_decide(made):
    """A call that is open for certain arguments is open for those alone."""
    answers = {True: ALLOW, False: refused(EPERM)}

    wrong = [(name, args) for name, args, is_open in DECISIONS if made.call(name, *args) != answers[is_open]]

    assert wrong == []


def test_sockets_are_just_these(made):
    """Of all families, kinds and protocols: Unix sockets, and TCP and UDP over IPv4 and IPv6.

    Exhaustive, because the library lost a load in trees of three arguments.
    """
    right = {(2, 1, 0), (2, 1, 6), (2, 2, 0), (2, 2, 17)}
    right |= {(10, kind, protocol) for _, kind, protocol in right}
    every = [(f, k, p) for f in range(47) for k in range(11) for p in (*range(20), 132, 255, 256, 262)]

    opened = {args for args in every if made.call("socket", *args) == ALLOW}

    assert {args for args in opened if args[0] != 1} == right
    assert len(opened) == len(right) + len(every) // 47


def test_socket_options_are_just_these(made):
    """Of all levels and options, the listed ones."""
    every = [(3, level, option) for level in (*range(50), 255, 282) for option in range(130)]

    opened = {args for args in every if made.call("setsockopt", *args) == ALLOW}

    assert opened == {args for args in every if matches(seccomp.SOCKET_OPTIONS, args)}


def matches(alternatives, args):
    """Judge as the table is meant."""
    return any(all(args[bits.index] & bits.mask == bits.value for bits in tests) for tests in alternatives)
