"""The seccomp profile on a real engine: what programs need works, and what is closed is refused."""

import contextlib
import json
import platform
import uuid

import pytest

from sandbox import container, image, reaper, seccomp
from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.types import PROFILES, Job, Level, Limits
from sandbox.verdict import RunVerdict, judge

pytestmark = [pytest.mark.docker, pytest.mark.slow]

RUN_ID = f"seccomp-{uuid.uuid4().hex[:8]}"
OURS = ["no-new-privileges", f"seccomp={seccomp.text()}"]
DOCKERS = ["no-new-privileges"]
NONE = ["no-new-privileges", "seccomp=unconfined"]
CANDIDATE = "20002:20002"
EPERM, ENOSYS = 1, 38
MIGHTY = [
    *("DAC_READ_SEARCH", "IPC_LOCK", "MKNOD", "NET_ADMIN", "NET_RAW", "SYSLOG", "SYS_ADMIN", "SYS_BOOT"),
    *("SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_TIME"),
    "SYS_TTY_CONFIG",
]
"""With these the kernel itself would let the calls through to their arguments, and find fault with those."""


def run_alone(script, security, *, user="0:0", caps=()):
    """Run `script` as the only thing in a container like the sandbox's; return its output as JSON."""
    with contextlib.closing(connect()) as client:
        body = container.body(image.find(client).tag, PROFILES["default"], RUN_ID, None, 0)
        body |= {"Cmd": ["python3", "-c", script], "User": user, "OpenStdin": False}
        body["Env"] = ["PYTHONPATH=/opt/mendbench/site", "OPENBLAS_NUM_THREADS=2", "HOME=/tmp", "TZ=UTC"]
        body["HostConfig"] |= {
            "SecurityOpt": security,
            "LogConfig": {"Type": "json-file"},
            "CapAdd": list(caps),
        }
        name = container.random_name()
        try:
            client.create_container_from_config(body, name)
            client.start(name)
            client.wait(name, timeout=300)
            out = client.logs(name, stdout=True, stderr=True)
        finally:
            reaper.remove(client, name)
    return json.loads(out)


# What programs need

WORKLOADS = {
    "pytest, hypothesis and coverage": """
        import textwrap
        open('test_it.py', 'w').write(textwrap.dedent('''
            from hypothesis import given, strategies as st
            @given(st.lists(st.integers()))
            def test_sorted(xs):
                assert sorted(sorted(xs)) == sorted(xs)
            def test_files(tmp_path, capfd):
                (tmp_path / 'x').write_text('x')
                print((tmp_path / 'x').read_text())
                assert capfd.readouterr().out == 'x' + chr(10)
        '''))
        import os, re, subprocess, sys
        command = [sys.executable, '-m', 'coverage', 'run', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'test_it.py']
        done = subprocess.run(command, capture_output=True, text=True)
        print(re.sub(r'in [0-9.]+s', '', done.stdout), done.stderr, os.path.getsize('.coverage') > 0)
    """,
    "numpy": """
        import numpy as np
        a = np.random.default_rng(1).random((300, 300))
        print(np.allclose(np.linalg.inv(a) @ a, np.eye(300)), np.fft.fft(np.arange(8)).round(6), len(np.linalg.eigvals(a)))
    """,
    "pandas": """
        import pandas as pd
        frame = pd.DataFrame({'key': list('abab'), 'value': range(4), 'when': pd.date_range('2024-01-01', periods=4, tz='Europe/Berlin')})
        print(frame.groupby('key').value.sum().to_dict(), frame.when.dt.hour.tolist(), frame.to_csv())
    """,
    **{
        f"multiprocessing by {method}": f"""
        import multiprocessing as mp
        from multiprocessing.shared_memory import SharedMemory
        def square(x):
            return x * x
        def write(name, lock, queue):
            with lock:
                memory = SharedMemory(name)
                memory.buf[0] += 7
                queue.put(memory.buf[0])
                memory.close()
        if __name__ == '__main__':
            mp.set_start_method('{method}')
            with mp.Pool(2) as pool:
                print(pool.map(square, range(10)))
            memory = SharedMemory(create=True, size=100)
            lock, queue = mp.Lock(), mp.Queue()
            process = mp.Process(target=write, args=(memory.name, lock, queue))
            process.start()
            print(queue.get(), process.join(), process.exitcode, memory.buf[0])
            memory.close()
            memory.unlink()
            with mp.Manager() as manager:
                print(manager.dict(a=1).copy())
        """
        for method in ("fork", "spawn", "forkserver")
    },
    "pools of executors": """
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
        if __name__ == '__main__':
            with ThreadPoolExecutor(4) as threads, ProcessPoolExecutor(2) as processes:
                print(sum(threads.map(abs, range(-50, 0))), list(processes.map(abs, (-1, -2))))
    """,
    "threads": """
        import queue, threading
        q, lock, barrier, done = queue.Queue(), threading.Lock(), threading.Barrier(4), threading.Event()
        def work(n):
            barrier.wait()
            with lock:
                q.put(n)
            done.wait()
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        [t.start() for t in threads]
        print(sorted(q.get() for _ in threads))
        done.set()
        [t.join() for t in threads]
        print(threading.active_count(), threading.Event().wait(0.01))
    """,
    "asyncio": """
        import asyncio, signal
        async def echo(reader, writer):
            writer.write((await reader.readline()).upper())
            await writer.drain()
            writer.close()
        async def talk(reader, writer):
            writer.write(b'hello\\n')
            print(await reader.readline())
            writer.close()
        async def main():
            server = await asyncio.start_server(echo, '127.0.0.1', 0)
            await talk(*await asyncio.open_connection(*server.sockets[0].getsockname()))
            other = await asyncio.start_unix_server(echo, '/tmp/echo')
            await talk(*await asyncio.open_unix_connection('/tmp/echo'))
            process = await asyncio.create_subprocess_exec('tr', 'a-z', 'A-Z', stdin=-1, stdout=-1)
            print(await process.communicate(b'abc'), process.returncode)
            got = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
            signal.raise_signal(signal.SIGUSR1)
            print(await asyncio.wait_for(got.wait(), 5), await asyncio.to_thread(sum, [1, 2]))
            server.close(), other.close()
        asyncio.run(main())
    """,
    "subprocesses": """
        import os, subprocess
        print(subprocess.run('printf "b\\na\\n" | sort | tee /tmp/sorted | wc -l; cp -a /tmp/sorted /tmp/copy; cat /tmp/copy; timeout 5 echo in time',
                             shell=True, capture_output=True, text=True))
        print(os.popen('echo popen').read(), os.system('exit 3') >> 8, os.posix_spawn('/bin/true', ['true'], {}) > 0, os.wait()[1])
        try:
            subprocess.run(['sleep', '9'], timeout=0.1)
        except subprocess.TimeoutExpired as exc:
            print(exc.cmd)
        print(subprocess.run(['true'], start_new_session=True, preexec_fn=lambda: os.umask(0), close_fds=True).returncode)
    """,
    "processes by hand": """
        import os, signal
        if (pid := os.fork()) == 0:
            signal.pause()
        fd = os.pidfd_open(pid)
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        print(os.waitid(os.P_PIDFD, fd, os.WEXITED).si_status, os.getpgid(0) == os.getpgrp(), os.getpriority(0, 0), os.nice(1))
        print(len(os.sched_getaffinity(0)) > 0, os.sched_setaffinity(0, os.sched_getaffinity(0)), os.sched_getscheduler(0), os.getloadavg() is not None)
    """,
    "signals and timers": """
        import signal, time
        fired = []
        signal.signal(signal.SIGALRM, lambda *_: fired.append('alarm'))
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        print(signal.getitimer(signal.ITIMER_REAL)[0] > 0)
        signal.pause()
        signal.alarm(1), signal.alarm(0)
        signal.signal(signal.SIGVTALRM, lambda *_: fired.append('virtual'))
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
        while len(fired) < 2:
            pass
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        signal.raise_signal(signal.SIGUSR1)
        print(signal.sigpending(), signal.sigwait([signal.SIGUSR1]), signal.sigtimedwait([signal.SIGUSR1], 0.01), fired)
        time.sleep(0.01), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID), time.get_clock_info('monotonic'), time.thread_time()
    """,
    "sockets": """
        import array, os, socket, struct
        for family, address in ((socket.AF_INET, ('127.0.0.1', 0)), (socket.AF_UNIX, '/tmp/socket')):
            server = socket.create_server(address) if family == socket.AF_INET else socket.socket(family)
            if family == socket.AF_UNIX:
                server.bind(address), server.listen()
            client = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK * 0)
            client.settimeout(5)
            client.connect(server.getsockname())
            peer, _ = server.accept()
            client.sendall(b'ping'), client.shutdown(socket.SHUT_WR)
            print(peer.recv(9), peer.recv(9), peer.getpeername() is not None)
        udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM, proto) for proto in (0, socket.IPPROTO_UDP)]
        udp[0].bind(('127.0.0.1', 0))
        udp[1].sendto(b'datagram', udp[0].getsockname())
        print(udp[0].recvfrom(99)[0], socket.socket(socket.AF_INET6).fileno() > 0)
        tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        for level, option in ((socket.SOL_SOCKET, socket.SO_REUSEADDR), (socket.SOL_SOCKET, socket.SO_REUSEPORT),
                (socket.SOL_SOCKET, socket.SO_KEEPALIVE), (socket.IPPROTO_TCP, socket.TCP_NODELAY),
                (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)):
            tcp.setsockopt(level, option, 1)
            print(tcp.getsockopt(level, option))
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 0, 0))
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(left, [b'fd'], [os.open('/dev/null', os.O_RDONLY)])
        print(len(socket.recv_fds(right, 9, 1)[1]), socket.gethostbyname('localhost'), socket.if_indextoname(1))
        print(socket.getaddrinfo('localhost', 80, socket.AF_INET, socket.SOCK_STREAM))
    """,
    "waiting": """
        import os, select, selectors
        a, b = os.pipe()
        for kind in (selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector):
            with kind() as selector:
                selector.register(b, selectors.EVENT_WRITE)
                print(len(selector.select(1)))
        fd = os.eventfd(0)
        os.eventfd_write(fd, 3)
        print(os.eventfd_read(fd), select.select([a], [], [], 0.01), os.get_blocking(a), os.set_blocking(a, False))
    """,
    "files": """
        import fcntl, glob, mmap, os, pathlib, shutil, stat, tempfile
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as spool, tempfile.NamedTemporaryFile() as named:
            root = pathlib.Path(folder)
            (root / 'a').write_text('text'), (root / 'b').symlink_to('a'), os.link(root / 'a', root / 'c'), os.mkfifo(root / 'f')
            os.mknod(root / 'n'), os.chmod(root / 'a', 0o600), os.utime(root / 'a', (1, 2)), os.truncate(root / 'c', 2)
            shutil.copy2(root / 'a', root / 'd'), shutil.copytree(root, folder + '2', ignore=shutil.ignore_patterns('f'))
            shutil.move(root / 'd', root / 'e'), shutil.rmtree(folder + '2'), os.replace(root / 'e', root / 'g')
            print(sorted(os.listdir(root)), (root / 'b').read_text(), stat.S_ISFIFO(os.stat(root / 'f').st_mode), os.access(root / 'a', os.R_OK))
            spool.write(b'x' * 9000), spool.flush(), os.fsync(spool.fileno()), os.fdatasync(spool.fileno())
            os.posix_fallocate(spool.fileno(), 0, 10000), os.posix_fadvise(spool.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            print(os.pread(spool.fileno(), 2, 5), os.pwritev(spool.fileno(), [b'yy', b'z'], 1), os.fstat(spool.fileno()).st_size)
            fcntl.flock(spool, fcntl.LOCK_EX), fcntl.lockf(spool, fcntl.LOCK_UN), os.dup2(spool.fileno(), 50), os.lseek(50, 0, 0)
            print(os.sendfile(named.fileno(), 50, 0, 100), os.copy_file_range(50, named.fileno(), 10), os.statvfs('/tmp').f_namemax)
            with mmap.mmap(spool.fileno(), 0) as view, mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as plain:
                view[0:2] = b'mm'
                view.flush(), plain.madvise(mmap.MADV_DONTNEED), plain.resize(16384)
                print(view.find(b'yy'), len(plain), os.getcwd(), len(glob.glob('/opt/mendbench/*')) > 0)
        print(os.write(os.memfd_create('m'), b'1'), os.listxattr('/tmp'), os.umask(0o22), os.sync())
    """,
    "terminals": """
        import os, pty, termios
        leader, follower = pty.openpty()
        os.write(follower, b'x\\n')
        print(os.read(leader, 9), os.isatty(follower), os.get_terminal_size(follower), len(termios.tcgetattr(follower)))
        pid, fd = pty.fork()
        if pid == 0:
            os.execlp('echo', 'echo', 'in a terminal')
        print(os.read(fd, 99), os.waitpid(pid, 0)[1])
    """,
    "standard library": """
        import ctypes, decimal, faulthandler, getpass, hashlib, locale, platform, random, resource, secrets, sqlite3, ssl, uuid, zoneinfo, datetime
        database = sqlite3.connect('/tmp/data.db')
        database.execute('pragma journal_mode=wal'), database.execute('create table t(x)'), database.executemany('insert into t values(?)', [(1,), (2,)])
        database.commit()
        print(database.execute('select sum(x) from t').fetchall(), datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo('Asia/Tokyo')).utcoffset())
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda a, b: a[0] - b[0])
        numbers = (ctypes.c_int * 3)(3, 1, 2)
        ctypes.CDLL(None).qsort(numbers, 3, 4, compare)
        print(list(numbers), decimal.Decimal(2).sqrt(), ssl.create_default_context().check_hostname, len(secrets.token_bytes(9)), hashlib.sha3_256(b'').hexdigest())
        faulthandler.enable(), faulthandler.dump_traceback_later(60), faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_NOFILE, (99, 200))
        print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, uuid.uuid1().version, platform.machine(), platform.node() != '')
        ctypes.CDLL(None).prctl(15, b'renamed')
        print(open('/proc/self/comm').read())
    """,
    "modules that check the machine": """
        import sysconfig, multiprocessing, os, tracemalloc, gc
        tracemalloc.start(), gc.freeze()
        print(sysconfig.get_platform(), os.sysconf('SC_PAGESIZE'), os.uname().sysname, len(os.getrandom(8)), os.times().user >= 0, os.getgroups(), os.getresuid())
    """,
}
RUNNER = """
import json, os, subprocess, sys, textwrap
outcomes = {}
for name, script in json.loads(WORKLOADS).items():
    folder = '/tmp/' + str(len(outcomes))
    os.mkdir(folder)
    os.chdir(folder)
    open('main.py', 'w').write(textwrap.dedent(script))
    done = subprocess.run([sys.executable, '-B', 'main.py'], capture_output=True, text=True)
    outcomes[name] = [done.returncode, done.stdout, done.stderr]
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def outcomes():
    """All workloads under our profile and under Docker's own: exit code, output, errors."""
    script = f"WORKLOADS = {json.dumps(WORKLOADS)!r}\n{RUNNER}"
    return [run_alone(script, security, user=CANDIDATE) for security in (OURS, DOCKERS)]


@pytest.mark.parametrize("name", WORKLOADS)
def test_programs_work_as_under_the_engine_s_own_profile(outcomes, name):
    """What honest programs do succeeds, with the same output as under Docker's default profile."""
    ours, dockers = (table[name] for table in outcomes)

    assert ours == dockers
    assert (ours[0], ours[2]) == (0, "")


# What is closed

# fmt: off
CLOSED = {  # name: its number on x86_64 and on aarch64 (None: not there)
    "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280), "chroot": (161, 51),
    "clock_adjtime": (305, 266), "clock_settime": (227, 112), "delete_module": (176, 106),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "finit_module": (313, 273),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fsopen": (430, 430), "fspick": (433, 433),
    "get_mempolicy": (239, 236), "init_module": (175, 105), "ioperm": (173, None), "iopl": (172, None),
    "ioprio_set": (251, 30), "kcmp": (312, 272), "kexec_file_load": (320, 294), "kexec_load": (246, 104),
    "keyctl": (250, 219), "lookup_dcookie": (212, 18), "mbind": (237, 235), "migrate_pages": (256, 238),
    "mlock": (149, 228), "mlock2": (325, 284), "mlockall": (151, 230), "modify_ldt": (154, None),
    "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "msgctl": (71, 187), "msgget": (68, 186),
    "msgrcv": (70, 188), "msgsnd": (69, 189), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438), "pivot_root": (155, 41), "pkey_alloc": (330, 289),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "ptrace": (101, 117),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "reboot": (169, 142), "remap_file_pages": (216, 234),
    "request_key": (249, 218), "rt_sigqueueinfo": (129, 138), "sched_setattr": (314, 274),
    "sched_setparam": (142, 118), "sched_setscheduler": (144, 119), "seccomp": (317, 277),
    "semctl": (66, 191), "semget": (64, 190), "semop": (65, 193), "semtimedop": (220, 192),
    "set_mempolicy": (238, 237), "setdomainname": (171, 162), "sethostname": (170, 161), "setns": (308, 268),
    "settimeofday": (164, 170), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "shmget": (29, 194), "swapoff": (168, 225), "swapon": (167, 224), "sync": (162, 81), "syncfs": (306, 267),
    "syslog": (103, 116), "umount2": (166, 39), "unshare": (272, 97), "uselib": (134, None),
    "ustat": (136, None), "vhangup": (153, 58),
}
ABSENT = {
    "cachestat": (451, 451), "clone3": (435, 435), "execveat": (322, 281), "futex_waitv": (449, 449),
    "inotify_init1": (294, 26), "io_setup": (206, 0), "io_submit": (209, 2), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "io_uring_setup": (425, 425), "landlock_create_ruleset": (444, 444),
    "landlock_restrict_self": (446, 446), "membarrier": (324, 283), "memfd_secret": (447, 447),
    "process_madvise": (440, 440), "process_mrelease": (448, 448), "splice": (275, 76), "tee": (276, 77),
    "timer_create": (222, 107), "userfaultfd": (323, 282), "vmsplice": (278, 75), "an unknown call": (999, 999),
}
PARTLY = {
    "clone": (56, 220), "ioctl": (16, 29), "memfd_create": (319, 279), "mknodat": (259, 33), "mmap": (9, 222),
    "personality": (135, 92), "prctl": (157, 167), "setsockopt": (54, 208), "socket": (41, 198),
    "socketpair": (53, 199),
}
# fmt: on
HIGH = 1 << 32
"""Set where the kernel does not look: it must not get anything past the filter."""
CLOSED_ARGUMENTS = [
    *(("clone", 0x11 | 1 << bit, 0, 0, 0, 0) for bit in (17, 25, 26, 27, 28, 29, 30)),
    ("ioctl", 0, 0x5412, 0),  # TIOCSTI
    ("ioctl", 0, 0x5412 | HIGH, 0),
    ("ioctl", 0, 0x5423, 0),  # TIOCSETD
    ("memfd_create", -1, 4),  # huge pages
    ("mknodat", -100, -1, 0o020600, 0),
    ("mmap", 0, 2 << 20, 3, 0x4_0022, -1, 0),
    ("personality", 0x4_0000),
    ("prctl", 22, 2, 0, 0, 0),  # PR_SET_SECCOMP
    ("prctl", 35, 1, 0, 0, 0),  # PR_SET_MM
    ("setsockopt", 0, 1, 26, 0, 0),  # SO_ATTACH_FILTER
    ("setsockopt", 0, 6, 31, 0, 0),  # TCP_ULP
    ("setsockopt", 0, 6 | HIGH, 31 | HIGH, 0, 0),
    *(("socket", family, 1, 0) for family in range(48) if family not in {1, 2, 10}),
    *(("socket", family, kind, 0) for family in (2, 10) for kind in (3, 4, 5, 6, 10)),
    *(("socket", 2, 1, protocol) for protocol in (1, 17, 132, 256, 262)),
    *(("socket", 10, 2, protocol) for protocol in (1, 6, 58, 115, 136)),
    ("socketpair", 2, 1, 0, -1),
    ("socketpair", 30, 1, 0, -1),
]
CALLER = """
import ctypes, json
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, args)) == 0 and number == CLONE:
        libc._exit(0)
    return ctypes.get_errno()
print(json.dumps([call(*line) for line in CALLS]))
"""


def machine():
    """0 on x86_64, 1 on aarch64: the column of the tables."""
    with contextlib.closing(connect()) as client:
        return {"x86_64": 0, "aarch64": 1}[client.info()["Architecture"]]


def errors_of(calls, security, caps=()):
    """Make all `calls` (number, arguments) in one process, which is PID 1, and return their errors."""
    script = f"CLONE = {PARTLY['clone'][machine()]}\nCALLS = {[list(map(_signed, line)) for line in calls]}\n{CALLER}"
    return run_alone(script, security, caps=caps)


def _signed(value):
    return value - (1 << 64) if value >> 63 == 1 else value


def without_sense(table):
    """Calls whose every argument is -1: harmless where they are open."""
    column = machine()
    return {name: [both[column], *[-1] * 6] for name, both in table.items() if both[column] is not None}


@pytest.mark.parametrize(("table", "error"), [(CLOSED, EPERM), (ABSENT, ENOSYS)], ids=["closed", "absent"])
def test_closed_calls_are_refused_to_the_mightiest(table, error):
    """Even with every capability a closed call is refused, and PID 1 lives on after all of them."""
    calls = without_sense(table)

    errors = errors_of(calls.values(), OURS, caps=MIGHTY)

    assert {name: got for name, got in zip(calls, errors, strict=True) if got != error} == {}


def test_it_is_the_profile_that_refuses():
    """Without the profile the kernel itself looks at most of these calls, and finds other faults with them."""
    calls = without_sense({**CLOSED, **ABSENT})

    errors = errors_of([line for name, line in calls.items() if name != "sync"], NONE)

    assert sum(error not in {EPERM, ENOSYS} for error in errors) > 45


def test_closed_arguments_are_refused():
    """A call that is open for certain arguments is refused with others, whatever their upper halves say."""
    column = machine()
    calls = [(PARTLY[name][column], *args) for name, *args in CLOSED_ARGUMENTS]

    errors = errors_of(calls, OURS, caps=MIGHTY)

    assert [case for case, error in zip(CLOSED_ARGUMENTS, errors, strict=True) if error != EPERM] == []


# Other doors into the kernel

DOORS = """
import ctypes, json, mmap, os
def attempt(code):
    if (pid := os.fork()) == 0:
        page = mmap.mmap(-1, 4096, prot=7)
        page.write(code)
        ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        os._exit(0)
    return -os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
def with_number(number, rest):
    return b'\\x53\\xb8' + number.to_bytes(4, 'little') + bytes.fromhex(rest)
GETPID = (39, '0f055bc3')
def x32(number):
    return with_number(0x40000000 | number, '0f055bc3')
"""
DIES_OF_SIGSYS = 31


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86_64")
def test_other_doors_end_the_caller():
    """Calls by the 32-bit gate or by numbers of x32 kill the process that makes them, and PID 1 lives on."""
    script = DOORS + (
        "doors = [with_number(20, 'cd805bc3'), with_number(11, 'cd805bc3'), *(x32(n) for n in (0, 39, 101, 425, 512, 520, 547, 999))]\n"
        "print(json.dumps([attempt(with_number(*GETPID)), *map(attempt, doors)]))"
    )

    usual, *others = run_alone(script, OURS)

    assert usual == 0
    assert set(others) == {DIES_OF_SIGSYS}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="machine code of x86_64")
def test_script_that_takes_another_door_has_crashed():
    """The warden survives a child that the filter kills, and says of which signal it died."""
    script = DOORS.replace("import ctypes, json, mmap, os", "import ctypes, mmap, os") + (
        "page = mmap.mmap(-1, 4096, prot=7)\npage.write(with_number(20, 'cd805bc3'))\n"
        "ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()\n"
    )
    job = Job(id="door", script=script, level=Level.PROGRAM, limits=Limits(wall_s=20.0, cpu_s=10.0))

    with DockerSandbox(RUN_ID) as sandbox:
        result = sandbox.run(job)

    assert judge(result) is RunVerdict.CRASHED
    assert result.signal == DIES_OF_SIGSYS
