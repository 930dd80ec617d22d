"""Whether two runs may be compared: the same tasks, judged in the same place within the same limits."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from evaluator.errors import UsageProblem
from evaluator.runs.records import Manifest, TaskEntry

ASPECTS: Final = ("tasks", "limits", "image", "policy", "templates")
"""What must be the same, unless a comparison is about it."""
_LIMITS: Final = ("wall_s", "cpu_s", "profile", "runtime", "grading")
_SHOWN: Final = 5
_NO_MATTER: Final = frozenset({"control"})
"""Settings of [repair] that change no number of the repair arm."""


def check_comparable(a: Manifest, b: Manifest, across: Collection[str] = ()) -> list[str]:
    """Say what differs and was allowed to; see that nothing else does.

    Raises:
        UsageProblem: the runs are not comparable; the message says in which aspects, and how.
    """
    differences = list(_differences(a, b))
    refused = [f"{aspect}: {what}" for aspect, what in differences if aspect not in across]
    if refused:
        listed = "\n  ".join(refused)
        raise UsageProblem(
            f"{a.run_id} and {b.run_id} are not comparable:\n  {listed}\n"
            "Where one of these is what you want to compare, say so: --across "
            + " --across ".join(sorted({aspect for aspect, _ in differences if aspect not in across}))
        )
    return [f"compared across {aspect}: {what}" for aspect, what in differences]


def _differences(a: Manifest, b: Manifest) -> Iterator[tuple[str, str]]:
    yield from (("tasks", what) for what in _tasks(a, b))
    for name in _LIMITS:
        yield from _unequal(
            "limits", f"sandbox.{name}", _setting(a, "sandbox", name), _setting(b, "sandbox", name)
        )
    yield from _unequal("image", "identity", a.image.identity[:12], b.image.identity[:12])
    for name in sorted({*a.config.get("repair", {}), *b.config.get("repair", {})} - _NO_MATTER):
        yield from _unequal(
            "policy", f"repair.{name}", _setting(a, "repair", name), _setting(b, "repair", name)
        )
    for name in sorted({*a.templates, *b.templates}):
        one, other = a.templates.get(name), b.templates.get(name)
        if one != other:
            how = "is another text" if one and other else f"only in {a.run_id if one else b.run_id}"
            yield "templates", f"{name} {how}"


def _setting(manifest: Manifest, section: str, name: str) -> Any:
    value = manifest.config.get(section, {}).get(name)
    # A model is the same wherever it is served.
    return value.get("name") if isinstance(value, dict) else value


def _unequal(aspect: str, name: str, one: Any, other: Any) -> Iterator[tuple[str, str]]:
    if one != other:
        yield aspect, f"{name} is {one} in the first and {other} in the second"


def _tasks(a: Manifest, b: Manifest) -> Iterator[str]:
    one, other = ({task.task_id: task for task in run.tasks} for run in (a, b))
    common = sorted(one.keys() & other.keys())
    if not common:
        yield "none in common"
        return
    changed = [name for name in common if one[name].sha256 != other[name].sha256]
    regraded = [name for name in common if one[name].level != other[name].level]
    written = [name for name in common if not _same_tests(one[name], other[name])]
    if written:
        yield f"{len(written)} were judged by different tests that models wrote ({_some(written)})"
    if changed:
        yield f"{len(changed)} changed between the runs ({_some(changed)})"
    if regraded:
        yield f"{len(regraded)} are graded at another level ({_some(regraded)})"


def _same_tests(one: TaskEntry, other: TaskEntry) -> bool:
    if "model-written" not in {one.basis, other.basis}:
        return True
    # Without a hash each script had tests of its own.
    return bool(one.tests_sha256) and one.tests_sha256 == other.tests_sha256


def only_in_one(a: Manifest, b: Manifest) -> list[str]:
    """Say how many tasks are left out because only one of the runs has them."""
    one, other = ({task.task_id for task in run.tasks} for run in (a, b))
    alone = [(a.run_id, sorted(one - other)), (b.run_id, sorted(other - one))]
    return [
        f"{len(names)} tasks are only in {run} and are left out ({_some(names)})"
        for run, names in alone
        if names
    ]


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
