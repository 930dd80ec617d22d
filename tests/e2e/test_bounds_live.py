"""The bounds of a real server: a reply that is cut off, a conversation that does not fit its context.

llama.cpp's own grammar makes the random model write what each test needs; the rest is as in life.
"""

import json

import pytest

from evaluator.runs.journal import load_run
from repair.attempt import NO_ROOM

pytestmark = pytest.mark.docker

SCRIPT = "def f(x):\n    value = 'v' * 2000\n    return value\n"
CONTEXT = 4096
"""Tokens of one slot, a byte each."""


def grammar(text):
    """A grammar of one sentence; `????` in it are four letters of the model's own choice."""
    return "root ::= " + " [a-z] [a-z] [a-z] [a-z] ".join(map(json.dumps, text.split("????")))


def task(folder, prompt_chars):
    """A task with a prompt of this length, whose failure takes many words."""
    batch = folder / "batches" / "live"
    batch.mkdir(parents=True)
    (batch / "f.md").write_text(
        "---\nlimits: {wall_s: 20, cpu_s: 5}\n---\nWrite `f`.\n" + "x" * prompt_chars + "\n\n## Tests\n\n"
        "```python\nfrom solution import f\n\ndef test_f():\n    assert f(1) == 'w' * 2000\n```\n"
    )
    return batch.parent


def write_config(folder, server, text, **sampling):
    """A configuration whose model can say nothing but `text`."""
    settings = "\n".join(f"{key} = {value}" for key, value in {"temperature": 1.0, **sampling}.items())
    (folder / "bench.toml").write_text(
        f'[[models]]\nname = "{server.model}"\nbase_url = "{server.base_url}"\n'
        f"extra_body = {{ grammar = {json.dumps(grammar(text))} }}\n\n"
        f"[sampling]\n{settings}\n\n[repair]\nrepairs = 3\n\n[bench]\ncheck_tasks = false\n"
    )


def attempts_of(bench, tasks):
    """Run the one task, and give what became of it."""
    done = bench("bench", "--tasks-dir", tasks)
    assert done.returncode == 0, done.stderr
    run = load_run(bench.runs()[-1])
    (trajectory,) = run.trajectories
    assert not trajectory.unscored
    return run, trajectory.attempts


def test_truncation_gets_a_larger_budget_once(bench, tmp_path, llama_server):
    """A reply that the token limit cut is asked for again with twice the tokens, and is whole then."""
    text = f"```python\n{SCRIPT}```\n"
    write_config(tmp_path, llama_server, text, max_tokens=len(text) - 20)

    run, attempts = attempts_of(bench, task(tmp_path, 10))

    replies = [run.completions[attempt.completion_key] for attempt in attempts]
    assert [str(attempt.kind) for attempt in attempts[:2]] == ["first", "length"]
    assert [reply.finish_reason for reply in replies[:2]] == ["length", "stop"]
    assert replies[1].sampling.max_tokens == 2 * replies[0].sampling.max_tokens
    assert replies[0].messages == replies[1].messages
    assert attempts[1].script.code == SCRIPT
    assert [str(attempt.kind) for attempt in attempts].count("length") == 1


def test_context_overflow_shrinks_the_feedback_once(bench, tmp_path, llama_server):
    """The whole feedback does not fit the server's context, a short one does: same call, shorter words."""
    # Four letters make each script another one, so that no reply is a repetition.
    text = f"```python\n{SCRIPT}```\n".replace("2000", "2000 + '????'")
    room = 620  # for the feedback: less than the whole takes, more than the short one
    write_config(tmp_path, llama_server, text, max_tokens=len(text) + 10)
    tasks = task(tmp_path, 10)
    _, attempts = attempts_of(bench, tasks)
    assert len(attempts[1].feedback) > room + 100
    used = _prompt_tokens(bench, call=0) + len(text)
    (tmp_path / "batches" / "live" / "f.md").unlink()
    (tmp_path / "batches" / "live").rmdir()
    tasks.rmdir()

    _, attempts = attempts_of(bench, task(tmp_path, 10 + CONTEXT - used - room))

    assert [str(attempt.kind) for attempt in attempts[:2]] == ["first", "repair"]
    assert attempts[1].script.reason != NO_ROOM
    assert 0 < len(attempts[1].feedback) < room
    # The next one has no room even for that: the sample ends there with what it holds.
    assert attempts[2].script.reason == NO_ROOM
    assert attempts[2].stop == "context"


def _prompt_tokens(bench, call):
    run = load_run(bench.runs()[-1])
    (found,) = [reply for reply in run.completions.values() if reply.call_no == call]
    return found.prompt_tokens
