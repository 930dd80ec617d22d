"""The body of a create request: everything that locks a container down, in one place."""

import secrets
import time
from typing import Any

from sandbox import seccomp
from sandbox.reaper import LABEL_CREATED, LABEL_OWNER, LABEL_RUN, owner_id
from sandbox.types import DEFAULT_LEVEL, Level, Profile

COMMAND = ["python3", "-P", "-S", "-s", "-B", "/opt/mendbench/guest"]
"""The flags of every child as well, because a child is a fork: no site, nothing from where it stands."""
OPEN_FILES = 256
LARGEST_FILE = 256 * 1024 * 1024
"""Hard limit of RLIMIT_FSIZE; a job's own limit is below it."""


def random_name() -> str:
    """Return a name that no other container has."""
    return f"mendbench-{secrets.token_hex(8)}"


def labels(run_id: str) -> dict[str, str]:
    """Return the labels by which the reaper knows our containers."""
    return {LABEL_RUN: run_id, LABEL_OWNER: owner_id(), LABEL_CREATED: f"{time.time():.0f}"}


def body(
    image: str,
    profile: Profile,
    run_id: str,
    runtime: str | None,
    hash_seed: int,
    *,
    level: Level = DEFAULT_LEVEL,
    once: bool = True,
) -> dict[str, Any]:
    """Return the Engine API's body for one throwaway container.

    Args:
        image: its tag.
        profile: what it may use.
        run_id: to be found by.
        runtime: another OCI runtime than the engine's own.
        hash_seed: of all its interpreters.
        level: of the jobs that it will get.
        once: it will get a single job.
    """
    return {
        "Image": image,
        "Entrypoint": [],
        "Cmd": COMMAND,
        # Container-root without its powers: it may change to the children's users and kill them.
        "User": "0:0",
        "WorkingDir": "/",
        # Fixed when the interpreter starts, and every child is a fork of that interpreter.
        # For a job that is known this far, its processes can be started before it comes.
        "Env": [
            f"PYTHONHASHSEED={hash_seed}",
            f"MENDBENCH_LEVEL={level.value}",
            *(["MENDBENCH_ONCE=1"] if once else []),
        ],
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        # Halves the start as well: without it old engines set a network namespace up.
        "NetworkDisabled": True,
        "StopSignal": "SIGKILL",
        "Labels": labels(run_id),
        "HostConfig": _host_config(profile, runtime),
    }


def _host_config(profile: Profile, runtime: str | None) -> dict[str, Any]:
    return {
        "NetworkMode": "none",
        "LogConfig": {"Type": "none"},
        "ReadonlyRootfs": True,
        "Memory": profile.memory_bytes,
        "MemorySwap": profile.memory_bytes,
        "NanoCpus": int(profile.cpus * 1e9),
        "PidsLimit": profile.pids,
        "IpcMode": "private",
        # Else an engine may show the host's cgroups, and the warden would read the whole host's counters.
        "CgroupnsMode": "private",
        "ShmSize": profile.shm_bytes,
        # Shared memory that nobody holds any more is memory that nobody could be charged for.
        "Sysctls": {"kernel.shm_rmid_forced": "1"},
        "CapDrop": ["ALL"],
        "CapAdd": ["SETUID", "SETGID", "KILL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp.text()}"],
        "Tmpfs": {"/work": _tmpfs(profile, "0755"), "/tmp": _tmpfs(profile, "1777")},  # noqa: S108
        "Ulimits": [
            {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},
            {"Name": "fsize", "Soft": LARGEST_FILE, "Hard": LARGEST_FILE},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        **({"Runtime": runtime} if runtime else {}),
    }


def _tmpfs(profile: Profile, mode: str) -> str:
    limits = f"size={profile.tmpfs_bytes},nr_inodes={profile.tmpfs_inodes}"
    return f"rw,noexec,nosuid,nodev,mode={mode},{limits}"
