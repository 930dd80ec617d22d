"""The catalogue of forgeries: wrong solutions that try to be scored as passed, and a sandbox to judge them."""

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sandbox.connect import connect
from sandbox.engine import DockerSandbox
from sandbox.owner import owner_id
from sandbox.reaper import LABEL_OWNER
from sandbox.types import Job, Level, Limits

HERE = Path(__file__).resolve().parent
LEVELS = (Level.PROCESS, Level.SHARED)
LIMITS = Limits(wall_s=20.0, cpu_s=8.0)
HEAD = "import os, sys, signal, time\n"
SNIPPETS = yaml.safe_load((HERE / "snippets.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Tests, with an honest solution and an honestly wrong one."""

    name: str
    tests: str
    right: str
    wrong: str
    wrong_for: str
    """For which value the tests see that `wrong` is wrong."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A wrong solution and what must become of it, per level."""

    name: str
    theme: str
    attacks: str
    """What the script is after, in a few words."""
    script: str
    tests: str
    wrong_for: str
    """For which value that its tests name the script answers falsely."""
    process: tuple[str, ...]
    shared: tuple[str, ...]
    """What has been seen; with `passed` among it, the case is a known survivor."""
    unseen: str = ""
    """Why a look at the source does not flag this survivor."""

    @property
    def survives(self) -> bool:
        """Say whether the case can pass at level `shared`."""
        return "passed" in self.shared

    def verdicts(self, level) -> tuple[str, ...]:
        """Return the verdicts that the case may get at a level."""
        return getattr(self, level.value)


def job(script, tests, level) -> Job:
    """Make a job of a script and its tests."""
    return Job(id=uuid.uuid4().hex, script=script, tests=tests, level=level, limits=LIMITS)


def suspicions(result) -> tuple[str, ...]:
    """Return what a look at the source found suspicious."""
    return result.suspicious


@pytest.fixture(scope="session")
def suspicions_of():
    """What a look at the source of a result found suspicious."""
    return suspicions


def read_suites() -> dict[str, Suite]:
    """Read the test files, by name."""
    entries = yaml.safe_load((HERE / "suites.yaml").read_text(encoding="utf-8"))
    return {name: Suite(name=name, **entry) for name, entry in entries.items()}


SUITES = read_suites()


def listed(value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def indented(text) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def case_of(name, theme, entry) -> Case:
    """Make a case of an entry of the catalogue."""
    facts = dict(entry)
    suite = SUITES[facts.pop("suite", "plus")]
    head = HEAD + "".join(SNIPPETS[each] for each in facts.pop("with", []))
    at, text = facts.pop("at", "import"), facts.pop("script")
    if at == "call":
        # In the function itself, ahead of its wrong answer.
        begin, _, rest = suite.wrong.rpartition("def ")
        line, _, body = rest.partition("\n")
        script = f"{head}{begin}def {line}\n{indented(text)}{body}"
    else:
        script = f"{head}{suite.wrong if at == 'import' else ''}{text}"
    return Case(
        name=name,
        theme=theme,
        script=script,
        tests=suite.tests,
        wrong_for=facts.pop("wrong_for", suite.wrong_for if at in {"import", "call"} else ""),
        process=listed(facts.pop("process")),
        shared=listed(facts.pop("shared")),
        **facts,
    )


def read_catalogue() -> list[Case]:
    """Read all cases, theme after theme."""
    return [
        case_of(name, path.stem, entry)
        for path in sorted((HERE / "cases").glob("*.yaml"))
        for name, entry in yaml.safe_load(path.read_text(encoding="utf-8")).items()
    ]


CATALOGUE = read_catalogue()


@pytest.fixture(scope="session")
def catalogue():
    """All cases."""
    return CATALOGUE


@pytest.fixture(scope="session")
def survivors_table(catalogue):
    """The lines of the table of survivors, as docs/forgery.md must show it."""
    rows = [
        f"| {case.name} | {case.attacks} | {case.unseen or 'yes'} |" for case in catalogue if case.survives
    ]
    return ["| case | what it attacks | flagged |", "|---|---|---|", *rows]


def ours() -> list[str]:
    """Return the containers of this process."""
    client = connect()
    try:
        found = client.containers(all=True, filters={"label": f"{LABEL_OWNER}={owner_id()}"})
    finally:
        client.close()
    return [entry["Names"][0] for entry in found]


@pytest.fixture(scope="module")
def sandbox():
    """One sandbox for all cases, with containers that wait; when it closes, none is left for others to find."""
    # What is forged shows as well in containers that are used again, in a third of the time.
    reuse = os.environ.get("MENDBENCH_ABUSE_MODE", "reuse") == "reuse"
    run_id = f"forgery-{uuid.uuid4().hex[:8]}"
    with DockerSandbox(run_id, warm=2, attempts_per_container=50 if reuse else 1) as made:
        yield made
    deadline = time.monotonic() + 10
    while ours() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert ours() == []


@pytest.fixture(autouse=True)
def _no_container_is_left():
    """Looked at when the sandbox closes: here containers wait for the next case."""


@pytest.fixture
def judged(sandbox):
    """Runs a script with tests at a level; skips where the level is not there."""

    def run(script, tests, level):
        if level not in sandbox.levels():
            pytest.skip(f"level {level.value} is not on offer yet")
        return sandbox.run(job(script, tests, level))

    return run


def pytest_generate_tests(metafunc):
    """Give tests that ask for them every case, every suite, and every level of either."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [pytest.param(case, id=case.name) for case in CATALOGUE])
    if "suite" in metafunc.fixturenames:
        metafunc.parametrize("suite", [pytest.param(suite, id=suite.name) for suite in SUITES.values()])
    if "level" in metafunc.fixturenames:
        metafunc.parametrize("level", LEVELS, ids=[level.value for level in LEVELS])
