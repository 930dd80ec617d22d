"""From recorded histories to a run: each row is one draw of the model that wrote it.

A row's prompt and tests make a task; its replies are served, by their place in the trajectory, to the calls
of the loop. They answered the prompts and feedback of another harness: whoever reads the numbers must know.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from evaluator.config import Config, ModelSection
from evaluator.errors import UsageProblem
from evaluator.keys import digest, text_sha256
from evaluator.replay.histories import Histories, History
from evaluator.running.plan import Plan, make_plan
from evaluator.runs.records import Draw
from prompts.recordings import Recordings, Reply, recordings_sha256
from prompts.render import load_template
from prompts.tasks import Task
from repair.llm import Arm

CONCURRENCY: Final = 4
_BATCH: Final = "recorded"
_UNSAFE = re.compile(r"[^a-z0-9_-]+")
_NAME_CHARS: Final = 80
_PARTS: Final = 3
_UNKNOWN: Final = {"temperature": None, "top_p": None, "max_tokens": None}
"""How the replies were drawn was decided elsewhere."""
_NO_TASKS: Final = {"limit": None, "batches": (), "tasks": (), "tasks_dir": None, "check_tasks": False}
"""What a configuration says of other tasks than those of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a file of histories comes to."""

    tasks: tuple[Task, ...]
    draws: tuple[Draw, ...]
    """One per history, in the order of the file."""
    histories: Mapping[Draw, History]
    recordings: Recordings
    samples: int
    """Draws of the task that was drawn most often by one model."""

    def why_missing(self, model: str, call: str) -> str:
        """Say why there is no reply for a call (`str(CallId)`): which row has no more rounds."""
        sample, arm, number = call.rsplit("/", 3)[1:] if call.count("/") > _PARTS else ("", "", "")
        before = call.removesuffix(f"/{sample}/{arm}/{number}").rpartition("/")
        if not sample.isdecimal():
            return f"{call!r} is no call"
        draw = Draw(model=model, task_id=before[0], template=before[2], sample=int(sample))
        history = self.histories.get(draw)
        if history is None or arm != Arm.REPAIR:
            return f"no history of {model!r} has call {call!r}"
        last = len(history.rounds) - 1
        return f"the recording in {history.place} ends after round {last}; call {number} asks for more"


def make_replay(histories: Sequence[History], template: str, path: Path) -> Replayed:
    """Make tasks, draws and recordings of histories. Equal tasks of several rows are one task."""
    tasks: dict[str, Task] = {}
    drawn: Counter[tuple[str, str]] = Counter()
    found: dict[Draw, History] = {}
    recordings: dict[str, dict[str, Reply]] = defaultdict(dict)
    names = _Names()
    for history in histories:
        task = _task(history, names, path)
        tasks.setdefault(task.task_id, task)
        sample = drawn[history.model, task.task_id]
        drawn[history.model, task.task_id] += 1
        draw = Draw(model=history.model, task_id=task.task_id, template=template, sample=sample)
        found[draw] = history
        for number, said in enumerate(history.rounds):
            call = f"{task.task_id}/{template}/{sample}/{Arm.REPAIR}/{number}"
            recordings[history.model][call] = said.reply
    return Replayed(
        tasks=tuple(sorted(tasks.values(), key=lambda task: task.task_id)),
        draws=tuple(found),
        histories=found,
        recordings=recordings,
        samples=max(drawn.values()),
    )


class _Names:
    """Names tasks after their keys; rows that share a key and nothing else get a number."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = defaultdict(dict)

    def name(self, wanted: str, content: str) -> str:
        """Give the same name for the same content, another one for another content."""
        known = self._known[wanted]
        if content not in known:
            known[content] = wanted if not known else f"{wanted}~{len(known) + 1}"
        return known[content]


def _task(history: History, names: _Names, path: Path) -> Task:
    before, _, after = history.task_key.partition("/")
    batch, name = (before, after) if after else (_BATCH, before)
    content = digest([history.task_key, history.prompt, history.tests, list(history.entry_point)])
    task = Task(
        batch=_slug(batch),
        name="",
        path=path,
        prompt=history.prompt,
        tests=history.tests,
        entry_point=history.entry_point or None,
        family=history.task_key,
    )
    return replace(task, name=names.name(f"{task.batch}/{_slug(name)}", content).partition("/")[2])


def _slug(text: str) -> str:
    slug = _UNSAFE.sub("-", text.lower()).strip("-")[:_NAME_CHARS]
    return slug or f"x{text_sha256(text)[:8]}"


def serve(replayed: Replayed, stack: ExitStack) -> str:
    """Serve the recordings for as long as `stack` lives, and return the address."""
    from evaluator.replay.recorded import RecordedServer  # noqa: PLC0415 - only a replay needs it

    server = RecordedServer(replayed.recordings, why_missing=replayed.why_missing)
    return stack.enter_context(server).base_url


def replay_plan(config: Config, source: Path, histories: Histories, stack: ExitStack) -> Plan:
    """Serve the histories and plan a run of the loop over them.

    Raises:
        UsageProblem: several templates are wanted.
    """
    if config.repair.model is not None:
        raise UsageProblem("a replay asks no model, and none can repair: take [repair] model out")
    if len(config.bench.templates) != 1:
        raise UsageProblem("a replay has one template: its replies answered none of them")
    template = load_template(config.bench.templates[0])
    replayed = make_replay(histories.rows, template.name, source)
    url = serve(replayed, stack)
    models = [
        ModelSection(name=name, base_url=url, concurrency=CONCURRENCY) for name in sorted(replayed.recordings)
    ]
    config = config.model_copy(
        update={
            "models": tuple(models),
            "sampling": config.sampling.model_copy(update=_UNKNOWN),
            "bench": config.bench.model_copy(update={**_NO_TASKS, "samples": replayed.samples}),
        }
    )
    # The port differs from run to run; the replies are what the server is.
    server_id = f"replay:{recordings_sha256(replayed.recordings)[:16]}"
    planned = make_plan(config, models, server_id=server_id, tasks=replayed.tasks)
    return replace(planned, draws=replayed.draws, replayed=str(source.resolve()))


def replay_notes(histories: Histories) -> tuple[str, ...]:
    """Say what a reader of the numbers must know of the file."""
    rows = histories.rows
    coded = sum(each.code_only for row in rows for each in row.rounds)
    rounds = sum(len(row.rounds) for row in rows)
    reasons = Counter(row.tests_missing for row in rows if row.tests is None)
    notes: list[str] = []
    if coded:
        notes.append(
            f"{coded} of {rounds} recorded rounds keep no reply: the code that their source took out of it "
            "stands for it, so that parse rates say less than usual."
        )
    notes += [
        f"{count} of {len(rows)} histories were run as programs, without tests: {why}."
        for why, count in sorted(reasons.items())
    ]
    if histories.faults:
        notes.append(f"{len(histories.faults)} broken rows were left out; the first: {histories.faults[0]}")
    return tuple(notes)
