"""What compiles is the word of the image's interpreter: many replies in one container, none of them run."""

import json

import pytest
from click.testing import CliRunner

from evaluator.cli import group
from evaluator.running.image_compile import compile_all
from evaluator.running.manifest import new_run_id
from sandbox.engine import DockerSandbox

pytestmark = pytest.mark.docker

TEXTS = [
    "x = 1\n",
    "def f(:\n",
    "import os; os._exit(0)\n",
    "return 1\n",
    "x = " + "(" * 500,
    "s = '\ud800'\n",
    "",
]


def test_many_texts_are_compiled_and_none_is_run():
    """Each has its own answer, in order, from one container."""
    jobs = []
    with DockerSandbox(new_run_id(), warm=0) as sandbox:

        def run(job):
            jobs.append(job)
            return sandbox.run(job)

        whys = compile_all(TEXTS, run)

    assert len(jobs) == 1
    assert [bool(why) for why in whys] == [False, True, False, True, True, True, False]
    assert whys[3].startswith("SyntaxError: 'return' outside function")


def test_the_command_asks_the_sandbox(tmp_path):
    """Every line says who compiled it."""
    source = tmp_path / "replies.jsonl"
    rows = [
        {"id": 0, "reply": "```python\nx = 1\n```"},
        {"id": 1, "reply": "```python\ndef f(:\n```"},
        {"id": 2, "reply": "No."},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    result = CliRunner().invoke(
        group, ["clean", str(source), "--jsonl", "--in-sandbox"], standalone_mode=False
    )
    lines = {line["id"]: line for line in map(json.loads, result.stdout.splitlines())}

    assert (lines[0]["compiles"], lines[0]["compiled_by"]) == (True, "sandbox")
    assert (lines[1]["compiles"], lines[1]["compiled_by"]) == (False, "sandbox")
    assert "SyntaxError" in lines[1]["error"]
    assert lines[2]["code"] is None
