"""The test-writing track, from the command line to the report: recorded writers, a live server, a baseline."""

import json

import pytest

from evaluator.replay.recorded import RecordedServer
from evaluator.runs.journal import ATTEMPTS, COMPLETIONS, SUITES, load_run
from evaluator.suites.baseline import LABEL
from evaluator.suites.standings import matrix, writers
from evaluator.suites.written import written
from prompts.recordings import Reply
from repair.llm import CallKind

pytestmark = [pytest.mark.docker, pytest.mark.slow]

CHEAP = ("--mutants=12", "--orders=1", "--hash-seeds=1", "--attempts-per-container=50")
TASK = """---
entry_point: clamp
limits: {wall_s: 20, cpu_s: 5}
---
Write `clamp(x)`: x, but 99 for anything above 10.

## Tests

```python
from solution import clamp

def test_clamp():
    assert clamp(3) == 3
```

## Holdout

```python
from solution import clamp

def test_hold():
    assert clamp(11) == 99
```

## Reference

```python
def clamp(x: int) -> int:
    if x > 10:
        return 99
    return x
```

## Reference

```python
def clamp(x):
    return x if x <= 10 else 99
```

## Wrong

```python
def clamp(x):
    return x
```
"""
CAREFUL = """from clamping import clamp

def test_clamp():
    assert [clamp(x) for x in (-1, 0, 9, 10, 11, 12)] == [-1, 0, 9, 10, 99, 99]
"""
WRONG = CAREFUL.replace("10, 99, 99]", "10, 11, 99]")
SMOKE = "import solution\n\ndef test_clamp():\n    assert solution.clamp(3) is not None\n"
CALL = "small/clamp{mark}/tests/0/repair/{number}"


def reply(code):
    return Reply(content=f"Here:\n\n```python\n{code}```\n", prompt_tokens=100, completion_tokens=50)


def suites_of(mark=""):
    """Replies of three writers: one mends its suite, one hardly looks, one gives none."""
    none = Reply(content="I would test it with care.", prompt_tokens=100, completion_tokens=8)
    return {
        "careful": {
            CALL.format(mark=mark, number=0): reply(WRONG),
            CALL.format(mark=mark, number=1): reply(CAREFUL),
        },
        "smoke": {CALL.format(mark=mark, number=0): reply(SMOKE)},
        "talker": {CALL.format(mark=mark, number=number): none for number in range(3)},
    }


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A batch of one task with two references and a wrong solution."""
    batch = tmp_path_factory.mktemp("tasks") / "batches" / "small"
    batch.mkdir(parents=True)
    (batch / "clamp.md").write_text(TASK, encoding="utf-8")
    return batch.parent


@pytest.fixture(scope="module")
def first(tasks, tmp_path_factory, make_bench):
    """One whole run of three recorded writers and the baseline: how to go on, its folder, what it printed."""
    bench = make_bench(tmp_path_factory.mktemp("suites"))
    recordings = suites_of()
    with RecordedServer(recordings) as server:
        models = [f"--writer={name}@{server.base_url}" for name in recordings]
        words = ("suites", "--tasks-dir", tasks, *models, "--baseline=ghostwriter", "--repairs=1", *CHEAP)
        done = bench(*words, "--json")
        (folder,) = bench.runs()
        before = {name: (folder / name).read_bytes() for name in (ATTEMPTS, COMPLETIONS, SUITES)}
        again = bench(*words, "--resume", folder)
    return folder, done, before, again


def by_writer(folder):
    return {each.writer: each for each in written(load_run(folder))}


def test_writers_are_ranked_by_what_their_suites_catch(first):
    """The careful one is before the one that hardly looks; who writes no suite has nothing."""
    folder, done, _, _ = first
    assert done.returncode == 0, done.stderr
    found = {each.name: each for each in writers(load_run(folder))}

    assert [found[name].rank for name in ("careful", "smoke", "talker")] == [1, 2, 3]
    assert found["careful"].stable.value == 1.0
    assert found["careful"].stable_first.value == 0.0
    assert 0 < found["smoke"].stable.value < 1
    assert found["talker"].stable.value == 0.0
    assert [found[name].balance.value for name in ("careful", "smoke", "talker")] == [1.0, 0.0, 0.0]


def test_every_call_counts_by_its_kind(first):
    """The failing suite was sent back once, the reply without a suite asked for its form."""
    folder, _, _, _ = first
    kinds = {name: [attempt.kind for attempt in each.attempts] for name, each in by_writer(folder).items()}

    assert kinds["careful"] == [CallKind.FIRST, CallKind.REPAIR]
    assert kinds["smoke"] == [CallKind.FIRST]
    assert kinds["talker"] == [CallKind.FIRST, CallKind.FORMAT, CallKind.FRESH]
    assert kinds[LABEL] == [CallKind.FIRST]


def test_the_suite_is_cleaned_and_the_failure_told(first):
    """A wrong module name is bound to the script, and the feedback shows the failing line of the suite."""
    folder, _, _, _ = first
    mended = by_writer(folder)["careful"].attempts

    assert "bind_to_solution" in [edit.rule for edit in mended[0].script.edits]
    assert "from solution import clamp" in mended[0].script.code
    assert "1 of 1 tests do not pass" in mended[1].feedback
    assert "> " in mended[1].feedback
    assert "assert [clamp(x)" in mended[1].feedback


def test_no_prompt_holds_anything_but_script_and_text(first):
    """Neither tests, nor holdout, nor other solutions reach a writer."""
    folder, _, _, _ = first
    sent = "\n".join(m.content for each in load_run(folder).completions.values() for m in each.messages)

    assert "if x > 10" in sent
    assert "anything above 10" in sent
    assert all(secret not in sent for secret in ("test_hold", "clamp(11) == 99", "x <= 10"))


def test_the_baseline_takes_part(first):
    """The ghostwriter's suite ran in a container like any other; it passes, and asserts nothing.

    Unless the machine was so busy that it waited for a CPU instead.
    """
    folder, _, _, _ = first
    ghost = by_writer(folder)[LABEL]

    assert "hypothesis" in ghost.attempts[0].script.code
    waited = max(run.run_delay_s or 0.0 for run in (ghost.attempts[0].shown, ghost.final.record.main))
    assert ghost.final.outcome == "scored" or waited > 10
    assert ghost.final.score.mutation["kills"].get("assertion", 0) == 0


def test_running_again_does_nothing_again(first):
    """A resumed run finds everything in its journal."""
    folder, _, before, again = first

    assert again.returncode == 0, again.stderr
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_the_reports(first):
    """Summary, tables and page name the writers, and the page shows mutants as differences."""
    folder, done, _, _ = first
    summary = json.loads(done.stdout)

    # The run has been resumed since: nothing but the time of its end may differ.
    again = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert all(summary[name] == again[name] for name in ("writers", "suites", "matrix", "banners"))
    assert [line["writer"] for line in summary["suites"]] == sorted(["careful", "smoke", "talker", LABEL])
    assert "| careful |" in (folder / "report.md").read_text(encoding="utf-8")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert '<span class="del">-    if x &gt; 10:' in page
    assert '<span class="add">+    if x &gt; 11:' in page


def test_scripts_that_models_wrote(tasks, tmp_path, make_bench):
    """Suites for the scripts of a run: authors by writers, and bugs that are revealed or pinned."""
    bench = make_bench(tmp_path)
    right, wrong = "def clamp(x):\n    return x if x < 11 else 99\n", "def clamp(x):\n    return x\n"
    scripts = {
        "able": {"small/clamp/default/0/repair/0": reply(right)},
        "poor": {"small/clamp/default/0/repair/0": reply(wrong)},
    }
    with RecordedServer(scripts) as server:
        models = [f"--model={name}@{server.base_url}" for name in scripts]
        assert (
            bench("bench", "--tasks-dir", tasks, *models, "--no-check-tasks", "--repairs=0").returncode == 0
        )
    (scripts_run,) = bench.runs()
    marks = {each.script.code: f"@{each.script.sha256[:12]}" for each in load_run(scripts_run).attempts}
    recordings = {"careful": {}}
    for mark in marks.values():
        recordings["careful"] |= {CALL.format(mark=mark, number=0): reply(CAREFUL)}
    with RecordedServer(recordings) as server:
        writer = f"--writer=careful@{server.base_url}"
        words = ("suites", "--tasks-dir", tasks, writer, "--for=attempts", f"--run={scripts_run}")
        done = bench(*words, "--repairs=0", "--code-only", *CHEAP)
    assert done.returncode == 0, done.stderr
    run = load_run(bench.runs()[-1])
    pairs = {(pair.author, pair.writer): pair for pair in matrix(run)}

    assert pairs["able", "careful"].stable.value == 1.0
    assert pairs["able", "careful"].bugs is None
    assert pairs["poor", "careful"].stable.value is None
    assert (pairs["poor", "careful"].bugs.reveal, pairs["poor", "careful"].bugs.pin) == (1, 0)
    assert "anything above 10" not in "\n".join(
        m.content for c in run.completions.values() for m in c.messages
    )


def test_a_live_server_that_talks_garbage(llama_server, tmp_path, make_bench):
    """Whatever a real server's model says of shipped tasks: named outcomes, and a report that ranks it."""
    bench = make_bench(tmp_path)
    tasks = [f"--task={task}" for task in ("basics/clock", "data/table", "programs/cache")]
    words = ("suites", "--writer", llama_server.spec, *tasks, "--repairs=1")

    done = bench(*words, "--max-tokens=48", "--temperature=1", *CHEAP)

    assert done.returncode == 0, done.stderr
    (made,) = bench.runs()
    found = written(load_run(made))
    assert len(found) == 3
    assert all(each.final.scored and each.attempts[-1].stop for each in found)
    assert {each.final.outcome for each in found} <= {
        "no_code",
        "truncated",
        "syntax_error",
        "no_tests",
        "uncollectable",
    }
    assert [(each.name, each.rank, each.stable.value) for each in writers(load_run(made))] == [
        (llama_server.model, 1, 0.0)
    ]
    assert load_run(made).manifest.finished
    assert llama_server.model in (made / "report.html").read_text(encoding="utf-8")
