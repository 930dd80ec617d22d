"""The system calls that a sandbox may make: our own seccomp profile, as the Engine API takes it.

Everything that is not named here is refused. What is open is what Python programs, their tests and the
warden need; docs/seccomp.md says how to extend it. One text serves x86_64 and aarch64 engines.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

ENOSYS = 38
_INT = 0xFFFF_FFFF
"""The kernel looks at the lower half of an `int`: comparing more would refuse or admit by accident."""

# ---- Open on both architectures ----

OPEN = {
    "memory": "brk madvise mprotect mremap msync munmap",
    "processes": """
        execve exit exit_group getegid geteuid getgid getgroups getpgid getpid getppid getpriority
        getresgid getresuid getrlimit getrusage getsid gettid getuid pidfd_open pidfd_send_signal
        prlimit64 setpgid setpriority setrlimit setsid times umask wait4 waitid""",
    # The warden's, to start a child as another user. Nobody else has the capabilities for it.
    "users": "capget setgid setgroups setregid setresgid setresuid setreuid setuid",
    "threads": """
        futex get_robust_list getcpu rseq sched_get_priority_max sched_get_priority_min
        sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
        sched_setaffinity sched_yield set_robust_list set_tid_address""",
    "signals": """
        kill restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend
        rt_sigtimedwait sigaltstack signalfd4 tgkill tkill""",
    "time": """
        clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep setitimer
        timerfd_create timerfd_gettime timerfd_settime""",
    "reading and writing": """
        close close_range copy_file_range dup dup3 eventfd2 fadvise64 fallocate fcntl fdatasync flock
        fsync ftruncate lseek pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv
        sendfile write writev""",
    "files": """
        chdir faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown fchownat fgetxattr flistxattr
        fremovexattr fsetxattr fstat fstatfs getcwd getdents64 getxattr lgetxattr linkat listxattr llistxattr
        lremovexattr lsetxattr mkdirat newfstatat openat openat2 readlinkat removexattr renameat renameat2
        setxattr statfs statx symlinkat truncate unlinkat utimensat""",
    "waiting": "epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 ppoll pselect6",
    # On loopback and Unix sockets; which sockets there may be is said below.
    "sockets": """
        accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmsg sendmmsg
        sendmsg sendto shutdown""",
    "system": "getrandom sysinfo uname",
}

OPEN_X86_64 = """
    access alarm arch_prctl chmod chown creat dup2 epoll_create epoll_wait eventfd fork futimesat getpgrp
    lchown link lstat mkdir open pause pipe poll readlink rename rmdir select signalfd stat symlink time
    unlink utime utimes vfork"""
"""Older forms of the above, which aarch64 never had."""

# ---- Absent: refused in the way of a kernel that does not know the call, so that callers fall back ----

ABSENT = """
    cachestat clone3 execveat futex_requeue futex_wait futex_waitv futex_wake inotify_add_watch
    inotify_init1 io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter
    io_uring_register io_uring_setup landlock_add_rule landlock_create_ruleset landlock_restrict_self
    map_shadow_stack membarrier memfd_secret mseal process_madvise process_mrelease recvmmsg
    set_mempolicy_home_node splice tee timer_create userfaultfd vmsplice"""
ABSENT_X86_64 = "inotify_init"

# ---- Open for certain arguments only ----


@dataclass(frozen=True, slots=True)
class Bits:
    """Argument number `index`, cut down to `mask`, must be `value`."""

    index: int
    mask: int
    value: int

    def as_json(self) -> dict[str, Any]:
        """Return the test in the profile's form."""
        return {
            "index": self.index,
            "value": self.mask,
            "valueTwo": self.value,
            "op": "SCMP_CMP_MASKED_EQ",
        }


@dataclass(frozen=True, slots=True)
class Rule:
    """`name` is open when all of `tests` hold; several rules of one name are alternatives."""

    name: str
    tests: tuple[Bits, ...]


def _is(index: int, value: int) -> Bits:
    return Bits(index, _INT, value)


def _without(index: int, bits: int) -> Bits:
    return Bits(index, bits, 0)


def _block(index: int, first: int, size: int) -> Bits:
    """`size` numbers from `first` on; both as a power of two has it."""
    return Bits(index, _INT & ~(size - 1), first)


_NEW_NAMESPACES = 0x7E02_0000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET."""
_MAP_HUGETLB = 0x4_0000
_MFD_HUGETLB = 0x4
"""Huge pages are the host's own stock, and the memory limit does not count them."""

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_STREAM, _DATAGRAM = 1, 2
_SOCKET_FLAGS = 0x8_0800
"""SOCK_CLOEXEC and SOCK_NONBLOCK ride on the type."""

_FILE_TYPE = 0xF000
_FIFO, _REGULAR, _PLAIN = 0x1000, 0x8000, 0

PRCTL = {
    "PR_SET_PDEATHSIG": 1,
    "PR_GET_PDEATHSIG": 2,
    "PR_GET_DUMPABLE": 3,
    "PR_SET_DUMPABLE": 4,
    "PR_SET_NAME": 15,
    "PR_GET_NAME": 16,
    "PR_CAPBSET_READ": 23,
    "PR_SET_TIMERSLACK": 29,
    "PR_GET_TIMERSLACK": 30,
    "PR_SET_CHILD_SUBREAPER": 36,
    "PR_GET_CHILD_SUBREAPER": 37,
    "PR_SET_NO_NEW_PRIVS": 38,
    "PR_GET_NO_NEW_PRIVS": 39,
    "PR_SET_THP_DISABLE": 41,
    "PR_GET_THP_DISABLE": 42,
    "PR_SET_VMA": 0x5356_4D41,
}

# No TIOCSTI (types into a terminal), TIOCLINUX, TIOCSETD (loads line disciplines).
IOCTL = {
    "TCGETS": 0x5401,
    "TCSETS": 0x5402,
    "TCSETSW": 0x5403,
    "TCSETSF": 0x5404,
    "TIOCSCTTY": 0x540E,
    "TIOCGPGRP": 0x540F,
    "TIOCSPGRP": 0x5410,
    "TIOCGWINSZ": 0x5413,
    "TIOCSWINSZ": 0x5414,
    "FIONREAD": 0x541B,
    "FIONBIO": 0x5421,
    "TIOCNOTTY": 0x5422,
    "TIOCGPTPEER": 0x5441,
    "FIONCLEX": 0x5450,
    "FIOCLEX": 0x5451,
    "TCGETS2": 0x802C_542A,
    "TCSETS2": 0x402C_542B,
    "TCSETSW2": 0x402C_542C,
    "TCSETSF2": 0x402C_542D,
    "TIOCGPTN": 0x8004_5430,
    "TIOCSPTLCK": 0x4004_5431,
    "SIOCGIFNAME": 0x8910,
    "SIOCGIFINDEX": 0x8933,
}

# No filters (SO_ATTACH_*), no protocols put on top (TCP_ULP), no header options.
SOCKET_OPTIONS = (
    # SOL_SOCKET: up to SO_REUSEPORT; credentials, low water marks and time-outs; SO_TIMESTAMP.
    (_is(1, 1), _block(2, 0, 16)),
    (_is(1, 1), _block(2, 16, 8)),
    (_is(1, 1), _is(2, 29)),
    # IPPROTO_IP: IP_TOS, IP_TTL, multicast.
    (_is(1, 0), _is(2, 1)),
    (_is(1, 0), _is(2, 2)),
    (_is(1, 0), _block(2, 32, 8)),
    # IPPROTO_TCP: up to TCP_MD5SIG; TCP_USER_TIMEOUT, TCP_FASTOPEN.
    (_is(1, 6), _block(2, 0, 16)),
    (_is(1, 6), _is(2, 18)),
    (_is(1, 6), _is(2, 23)),
    # IPPROTO_IPV6: hops and multicast; IPV6_V6ONLY.
    (_is(1, 41), _block(2, 16, 8)),
    (_is(1, 41), _is(2, 26)),
)


def _internet_sockets() -> Iterable[Rule]:
    """TCP and UDP alone: asking for another protocol can make the host's kernel load its module.

    Both families in one rule, and the Unix family's beside it less wide: of a deeper tree libseccomp 2.5
    makes a filter that lets AF_INET pass for AF_UNIX.
    """
    family = Bits(0, _INT & ~(_AF_INET ^ _AF_INET6), _AF_INET)
    for kind, own in ((_STREAM, 6), (_DATAGRAM, 17)):
        for protocol in (0, own):
            yield Rule("socket", (family, Bits(1, _INT & ~_SOCKET_FLAGS, kind), _is(2, protocol)))


def _files_by_type() -> Iterable[Rule]:
    """No device, and no whiteout of an overlay (a device 0:0, which needs no privilege)."""
    for kind in (_FIFO, _REGULAR, _PLAIN):
        yield Rule("mknodat", (Bits(2, _FILE_TYPE, kind),))


RULES = (
    Rule("clone", (_without(0, _NEW_NAMESPACES),)),
    Rule("mmap", (_without(3, _MAP_HUGETLB),)),
    Rule("memfd_create", (_without(1, _MFD_HUGETLB),)),
    # To ask which one it is.
    Rule("personality", (_is(0, _INT),)),
    Rule("socket", (_is(0, _AF_UNIX),)),
    Rule("socketpair", (_is(0, _AF_UNIX),)),
    *_internet_sockets(),
    *_files_by_type(),
    *(Rule("setsockopt", tests) for tests in SOCKET_OPTIONS),
    *(Rule("prctl", (_is(0, option),)) for option in PRCTL.values()),
    *(Rule("ioctl", (_is(1, request),)) for request in IOCTL.values()),
)
RULES_X86_64 = tuple(Rule("mknod", (Bits(1, _FILE_TYPE, kind),)) for kind in (_FIFO, _REGULAR, _PLAIN))

# ---- The profile ----

_X86_64_ONLY = {"includes": {"arches": ["amd64"]}}


def profile() -> dict[str, Any]:
    """Return the profile in the form of Docker's own; see `text`."""
    return {
        # Engines of the older kind know no other error for it than EPERM.
        "defaultAction": "SCMP_ACT_ERRNO",
        # Every engine takes its own machine's. No sub-architecture: calls of the 32-bit kinds end the caller.
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": [
            _open(" ".join(OPEN.values())),
            _open(OPEN_X86_64) | _X86_64_ONLY,
            _absent(ABSENT),
            _absent(ABSENT_X86_64) | _X86_64_ONLY,
            *(_open(rule.name, rule.tests) for rule in RULES),
            *(_open(rule.name, rule.tests) | _X86_64_ONLY for rule in RULES_X86_64),
        ],
    }


@cache
def text() -> str:
    """Return the profile as JSON: what follows `seccomp=` in a container's security options."""
    return json.dumps(profile(), separators=(",", ":"))


def _open(names: str, tests: tuple[Bits, ...] = ()) -> dict[str, Any]:
    entry: dict[str, Any] = {"names": names.split(), "action": "SCMP_ACT_ALLOW"}
    return entry | ({"args": [test.as_json() for test in tests]} if tests else {})


def _absent(names: str) -> dict[str, Any]:
    return {"names": names.split(), "action": "SCMP_ACT_ERRNO", "errnoRet": ENOSYS}
