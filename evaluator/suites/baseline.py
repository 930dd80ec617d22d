"""A writer without a model: hypothesis' ghostwriter, run in a container, as if it were a model's client.

It looks at the signatures of a script's functions and writes property tests for them. The script is
imported there and nowhere else.
"""

import secrets
from collections.abc import Callable, Mapping

from evaluator.runs.records import ModelEntry
from repair.llm import Completion, Request
from sandbox.types import KIB, Job, Level, Limits, RunResult

GHOSTWRITER = "ghostwriter"
LABEL = "ghostwriter (no model)"
_SERVER = "baseline"
_LIMITS = Limits(wall_s=120.0, cpu_s=30.0, output_bytes=512 * KIB)
_WHY_CHARS = 500
# The formatter that ghostwriter wants is not in the image; what it formats is right without it.
_PROGRAM = """\
import os, pathlib, sys, types
out = os.dup(1)
os.dup2(2, 1)
folder = pathlib.Path(os.environ.get("TMPDIR", "/tmp")) / "ghost"
folder.mkdir()
(folder / "solution.py").write_text(sys.stdin.read(), encoding="utf-8")
sys.path.insert(0, str(folder))
black = types.ModuleType("black")
black.Mode = lambda: None
black.format_str = lambda text, mode: text
sys.modules["black"] = black
from hypothesis.extra import ghostwriter
import solution
text = ghostwriter.magic(solution, style="pytest")
data = memoryview(text.encode("utf-8", "replace"))
while data:
    data = data[os.write(out, data):]
os._exit(0)
"""


def ghostwriter_entry() -> ModelEntry:
    """Its line among the models of a run."""
    return ModelEntry(label=LABEL, name="hypothesis.extra.ghostwriter", server=_SERVER, base_url="")


class GhostWriter:
    """Answers a request for a suite by writing one for its script; keeps to the protocol of a model."""

    def __init__(self, scripts: Mapping[str, str], run: Callable[[Job], RunResult]) -> None:
        """Prepare.

        Args:
            scripts: by the ids that requests have.
            run: runs a job in a container.
        """
        self._scripts, self._run = scripts, run

    def complete(self, request: Request) -> Completion:
        """Give the tests, or say why there are none.

        Raises:
            SandboxError: the container failed, not the script.
        """
        result = self._run(_job(self._scripts[request.call.task_id]))
        written = result.stdout.text.strip()
        if result.exit_code == 0 and written and not result.stdout.truncated:
            return Completion(
                text=f"```python\n{written}\n```\n", finish_reason="stop", seconds=result.wall_s
            )
        why = (result.stderr.text.strip() or "nothing was written").splitlines()[-1][:_WHY_CHARS]
        return Completion(text=f"The ghostwriter gave up: {why}", finish_reason="stop", seconds=result.wall_s)


def _job(script: str) -> Job:
    return Job(
        id=secrets.token_hex(16),
        script=_PROGRAM,
        level=Level.PROGRAM,
        limits=_LIMITS,
        stdin=script,
    )
