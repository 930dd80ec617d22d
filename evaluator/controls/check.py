"""Controls: is a task fit to judge anyone? Right solutions must pass, empty and wrong ones must fail."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from evaluator.controls.levels import BothLevels, why_failed
from evaluator.controls.skips import common_skips, skipped
from evaluator.errors import ConfigProblem
from evaluator.jobs import JobMaker, Part
from prompts.tasks import Task
from sandbox.backend import Sandbox
from sandbox.types import GRADED, Level, RunResult
from sandbox.verdict import RunVerdict, judge

_PARTS: tuple[Part, ...] = ("shown", "holdout")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReport:
    """What the controls of one task showed. The task may judge nobody while there are problems."""

    task_id: str
    controlled: bool = True
    """False for a task without tests: there is nothing to control."""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be proven, and why; no reason to refuse the task."""
    may_skip: dict[Part, tuple[str, ...]] = field(default_factory=dict)
    """Test ids that every reference skips or shows as an expected failure, by part."""
    level: Level | None = None
    """Level at which the tests that decide are graded; None without tests."""
    needs_shared: dict[Part, tuple[str, ...]] = field(default_factory=dict)
    """Test ids that a reference passes at level shared only, by part; for parts where both were tried."""
    runs: int = 0

    @property
    def ok(self) -> bool:
        """Whether no control failed."""
        return not self.problems


def check_task(
    task: Task,
    sandbox: Sandbox,
    *,
    jobs: JobMaker | None = None,
    wrong: bool = True,
    both_levels: bool = False,
) -> ControlReport:
    """Run the controls of `task`; without `wrong`, only references and empty solutions.

    References that fail at level process are tried at level shared; with `both_levels`, every reference
    is tried at both.

    Raises:
        SandboxError: a control gave no trustworthy result.
        UnsupportedLevel: the sandbox cannot run tests at the task's level.
    """
    if task.tests is None and task.holdout is None:
        return ControlReport(task_id=task.task_id, controlled=False, notes=("no tests: nothing to control",))
    maker = jobs or JobMaker()
    control = _Control(task, sandbox, maker, both_levels=both_levels)
    try:
        problems = tuple(control.problems(wrong=wrong))
    except ConfigProblem as error:
        problems = (str(error),)
    return ControlReport(
        task_id=task.task_id,
        problems=problems,
        notes=(*_notes(task), *control.level_notes()),
        may_skip=control.may_skip,
        level=maker.deciding_level(task),
        needs_shared=control.levels.needs_shared,
        runs=control.runs,
    )


def skeleton(task: Task) -> str:
    """Give a module that has every public name of the solution and does nothing.

    The names come from the first reference; without one, from what the tests import and the entry point.
    """
    if task.references:
        body = ast.parse(task.references[0]).body
        return "\n\n".join(text for node in body for text in _hollow(node)) + "\n"
    names = dict.fromkeys((*(task.entry_point or ()), *_imported(task)))
    return "\n\n".join(_hollow_function(name) for name in names) + "\n"


class _Control:
    """The runs of one task, with what they showed so far."""

    def __init__(self, task: Task, sandbox: Sandbox, jobs: JobMaker, *, both_levels: bool) -> None:
        self._task = task
        self._sandbox = sandbox
        self._jobs = jobs
        self._parts = tuple(part for part in _PARTS if self._tests(part) is not None)
        self._both_levels = both_levels and set(GRADED) <= sandbox.levels()
        self.levels = BothLevels()
        self.may_skip: dict[Part, tuple[str, ...]] = {}
        self.runs = 0

    def problems(self, *, wrong: bool) -> Iterator[str]:
        for part in self._parts:
            yield from self._references(part)
        yield from self._empty()
        if wrong:
            yield from self._wrong()

    def _tests(self, part: Part) -> str | None:
        return self._task.tests if part == "shown" else self._task.holdout

    def _run(self, script: str, part: Part) -> RunResult:
        self.runs += 1
        job = self._jobs.job(self._task, script, part)
        skips = (*job.may_skip, *self.may_skip.get(part, ()))
        return self._sandbox.run(replace(job, may_skip=skips))

    def _run_at_other_level(self, script: str, part: Part) -> RunResult:
        self.runs += 1
        job = self._jobs.job(self._task, script, part)
        other = Level.SHARED if job.level is Level.PROCESS else Level.PROCESS
        result = self._sandbox.run(replace(job, level=other))
        return replace(result, may_skip=tuple(skipped(result)))

    def _mend(self, number: int, part: Part, result: RunResult) -> str:
        """Try a reference at the other level, too, where that may tell something; say what mends it."""
        failed = judge(result) is not RunVerdict.PASSED
        may_help = result.level is Level.PROCESS and Level.SHARED in self._sandbox.levels()
        if not self._both_levels and not (failed and may_help):
            return ""
        other = self._run_at_other_level(self._task.references[number - 1], part)
        return self.levels.compare(number, part, result, other)

    def level_notes(self) -> Iterator[str]:
        """Say what trying both levels showed."""
        if self._both_levels and self._task.references:
            yield from self.levels.notes(self._jobs.deciding_level(self._task))

    def _references(self, part: Part) -> Iterator[str]:
        results = [self._run(script, part) for script in self._task.references]
        if not results:
            return
        self.may_skip[part] = common_skips(results)
        allowed = [replace(result, may_skip=self.may_skip[part]) for result in results]
        for number, result in enumerate(allowed, start=1):
            mend = self._mend(number, part, result)
            if judge(result) is not RunVerdict.PASSED:
                yield mend or f"reference {number} does not pass the {part} tests: {why_failed(result)}"
            elif len(self.may_skip[part]) == len(result.tests):
                yield f"reference {number} skips every one of the {part} tests: they prove nothing"

    def _empty(self) -> Iterator[str]:
        hollow = skeleton(self._task)
        for part in self._parts:
            if judge(self._run(hollow, part)) is RunVerdict.PASSED:
                yield f"an empty solution passes the {part} tests: they test nothing"
        if judge(self._run("", self._parts[0])) is RunVerdict.PASSED:
            yield f"an empty file passes the {self._parts[0]} tests: they do not need the solution"

    def _wrong(self) -> Iterator[str]:
        for number, script in enumerate(self._task.wrong, start=1):
            if all(judge(self._run(script, part)) is RunVerdict.PASSED for part in self._parts):
                tests = " and ".join(self._parts)
                yield f"wrong solution {number} passes the {tests} tests: add a test that it fails"


def _notes(task: Task) -> Iterator[str]:
    if not task.references:
        yield "no reference: nothing proves that the tests can be passed"
    if not task.wrong:
        yield "no wrong solution: nothing proves that the tests catch a plausible mistake"


def _hollow(node: ast.stmt) -> Iterator[str]:
    """What is left of a statement of the reference: public names, without behaviour."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if not node.name.startswith("_"):
            yield _hollow_function(node.name)
        case ast.ClassDef() if not node.name.startswith("_"):
            yield _hollow_class(node)
        case ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("_"):
            yield f"{name} = None"
        case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
            yield f"{name} = None"


def _hollow_function(name: str, indent: str = "") -> str:
    return f"{indent}def {name}(*args, **kwargs):\n{indent}    raise NotImplementedError"


def _hollow_class(node: ast.ClassDef) -> str:
    """A class of the same name, bases of the language and methods; it can be made, and nothing else."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and hasattr(builtins, base.id)]
    methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = [
        f"class {node.name}({', '.join(bases)}):",
        "    def __init__(self, *args, **kwargs):",
        "        pass",
    ]
    lines += [_hollow_function(name, "    ") for name in methods if name not in {"__init__", "__new__"}]
    return "\n".join(lines)


def _imported(task: Task) -> Iterator[str]:
    for source in (task.tests, task.holdout):
        for node in ast.walk(ast.parse(source or "")):
            if isinstance(node, ast.ImportFrom) and node.module == "solution":
                yield from (alias.name for alias in node.names if alias.name != "*")
