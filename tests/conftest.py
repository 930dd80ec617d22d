"""What all tests share: no test leaves a container behind, and recorded data is optional."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure():
    """Take Ctrl-C as usual: a shell that starts us in the background has it ignored, by our children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_folder():
    """The folder of recorded third-party replies; tests that need it skip where it is not."""
    folder = Path(os.environ.get("MENDBENCH_DATA", ROOT / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"recorded data is not here: {folder} (set MENDBENCH_DATA)")
    return folder


# Their killed runs leave containers behind, or they remove what others leave: one after another.
ONE_AFTER_ANOTHER = {
    "tests/abuse/test_harness_fails.py",
    "tests/e2e/test_bench.py",
    "tests/e2e/test_demo.py",
    "tests/e2e/test_kill.py",
    "tests/e2e/test_regrade.py",
    "tests/e2e/test_replay.py",
    "tests/integration/test_doctor.py",
    "tests/integration/test_reap_command.py",
    "tests/integration/test_reaper.py",
    "tests/integration/test_run_command.py",
    "tests/integration/test_score_command.py",
}
IN_PARALLEL = "PYTEST_XDIST_WORKER" in os.environ


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Where processes share the tests: a file's stay together, and so do those that would meet."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return "one after another" if file in ONE_AFTER_ANOTHER else file

    return ByFile(config, log)


def containers_left():
    """Containers of this process; those of processes that have ended too, unless other tests run meanwhile."""
    from sandbox.connect import connect
    from sandbox.owner import Owner, owner_id
    from sandbox.reaper import LABEL_OWNER

    with contextlib.closing(connect()) as client:
        found = client.containers(all=True, filters={"label": LABEL_OWNER})
    left = []
    for entry in found:
        owner = entry["Labels"][LABEL_OWNER]
        parsed = Owner.parse(owner)
        if owner == owner_id() or (not IN_PARALLEL and (parsed is None or parsed.is_gone(0.0))):
            left.append(entry["Names"][0])
    return left


def _still_left():
    """Containers that are left after the time that their removal may take."""
    deadline = time.monotonic() + 10
    while (left := containers_left()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _assert_none_is_left():
    assert _still_left() == []


@pytest.fixture(scope="module", autouse=True)
def _module_leaves_no_container(request):
    yield
    if request.node.get_closest_marker("docker") is not None:
        _assert_none_is_left()


@pytest.fixture(autouse=True)
def _no_container_is_left(request):
    yield
    marks = {mark.name for mark in request.node.iter_markers()}
    if "docker" in marks and "keeps_container" not in marks:
        _assert_none_is_left()


def pytest_sessionfinish(session):
    """After parallel tests: nothing is left of any of their processes, either."""
    if not hasattr(session.config, "workerinput") and session.config.getoption("numprocesses", None):
        from sandbox.errors import SandboxError

        with contextlib.suppress(SandboxError):
            if left := _still_left():
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
                print(f"\nContainers of ended processes are left: {left}")
