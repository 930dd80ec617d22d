"""How pytest is run here: no configuration but this, the same for collecting and for running."""

import importlib.util
import json
import os
import random
import site
import sys
from pathlib import Path
from typing import Any

from . import unicode
from .child import SPEC_FD, limit_files

CODE = "/work/code"
SOLUTION = f"{CODE}/solution.py"
TESTS = f"{CODE}/test_solution.py"
MAX_ID = 200
# What prints, or writes files, or costs start-up time. Fixtures that tests may ask for stay.
OFF = (
    "cacheprovider",
    "terminal",
    "terminalprogress",
    "junitxml",
    "pastebin",
    "doctest",
    "stepwise",
    "setuponly",
    "setupplan",
    "faulthandler",
    "threadexception",
    "unraisableexception",
)
# Plugins are loaded only for tests that speak of them: each costs start-up time.
PLUGINS = {
    "_hypothesis_pytestplugin": "hypothesis",
    "pytest_asyncio.plugin": "asyncio",
    "pytest_mock": "mocker",
}


ARGUMENTS = [
    "-c",
    "/dev/null",
    f"--rootdir={CODE}",
    "--noconftest",
    "--import-mode=importlib",
    "--continue-on-collection-errors",
    "--capture=no",
    *(part for name in OFF for part in ("-p", f"no:{name}")),
]


def plugins_for(source: str, seed: int) -> list[str]:
    """Build the arguments for the plugins that the text of these tests speaks of."""
    args: list[str] = []
    for module, word in PLUGINS.items():
        if word in source and importlib.util.find_spec(module.partition(".")[0]):
            args += ["-p", module]
            if word == "hypothesis":
                args.append(f"--hypothesis-seed={seed}")
                _calm_hypothesis()
    return args


def _calm_hypothesis() -> None:
    """Without deadlines: how long an example takes depends on what else this machine does."""
    from hypothesis import HealthCheck, settings  # noqa: PLC0415 -- slow, and seldom needed

    settings.register_profile(
        "sandbox", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("sandbox")
    unicode.load()


def seed_all(seed: int) -> None:
    """Fix what tests may draw from while they are collected, so that their ids stay the same."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)


def _escape(char: str) -> str:
    return char if " " <= char <= "~" else ascii(char)[1:-1]


def short_id(nodeid: str) -> tuple[str, str]:
    """Split a node id into file name and test id; the id is printable ASCII and bounded."""
    file, _, test = nodeid.partition("::")
    plain = "".join(map(_escape, test[: 2 * MAX_ID]))
    if len(plain) > MAX_ID or len(test) > MAX_ID:
        import hashlib  # noqa: PLC0415 -- slow to load, and seldom needed

        digest = hashlib.sha256(test.encode("utf-8", "replace")).hexdigest()[:16]
        plain = f"{plain[: MAX_ID - 20]}...{digest}"
    return Path(file).name, plain


def defined_here(item: Any, names: frozenset[str]) -> bool:
    """Say whether the test file itself defines this test (and did not import it from the script)."""
    function = getattr(item, "originalname", None) or item.name
    top = item.nodeid.split("::")[1].partition("[")[0]
    return function in names and top in names


def add_exit() -> None:
    """Give scripts the `exit` and `quit` that they expect; they come from `site`, which is not run here."""
    site.setquit()
    site.setcopyright()
    site.sethelper()


def read_spec() -> dict[str, Any]:
    """Read what the warden wants this child to know; waits where it comes later."""
    with os.fdopen(SPEC_FD, "rb") as file:
        spec: dict[str, Any] = json.load(file)
    if "file_bytes" in spec:
        # Of a child that was there before its limits were known.
        limit_files(spec["file_bytes"])
    return spec


def pose_as_pytest() -> None:
    """Let scripts that look at the command line see that of a test run without arguments."""
    sys.argv = ["pytest"]
