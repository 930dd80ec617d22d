"""What compile() says under the image's own interpreter: many texts in one container, none of them run."""

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from sandbox.types import Job, Level, Limits, RunResult

_BATCH_CHARS = 400_000
_BATCH = 100
_PROGRAM = """\
import json, sys, warnings
warnings.simplefilter("ignore")
answers = []
for text in json.load(sys.stdin):
    try:
        compile(text, "solution.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError, SystemError) as error:
        answers.append(f"{type(error).__name__}: {error}"[:100])
    else:
        answers.append("")
print(json.dumps(answers))
"""


def compile_all(texts: Sequence[str], run: Callable[[Job], RunResult]) -> list[str]:
    """Why each text does not compile; empty where it does.

    Raises:
        SandboxError: nothing can be run.
    """
    return [why for batch in _batches(texts) for why in _compiled(batch, run)]


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == _BATCH or size + len(text) > _BATCH_CHARS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def _compiled(batch: list[str], run: Callable[[Job], RunResult]) -> list[str]:
    """One container for all of them; a text that kills the interpreter is found by halving."""
    result = run(_job(batch))
    try:
        answers = json.loads(result.stdout.text)
    except ValueError:
        answers = None
    if isinstance(answers, list) and len(answers) == len(batch) and result.exit_code == 0:
        return [str(why) for why in answers]
    if len(batch) == 1:
        return ["the interpreter did not survive it"]
    half = len(batch) // 2
    return [*_compiled(list(islice(batch, half)), run), *_compiled(batch[half:], run)]


def _job(batch: list[str]) -> Job:
    return Job(
        id=secrets.token_hex(16),
        script=_PROGRAM,
        tests=None,
        level=Level.PROGRAM,
        limits=Limits(wall_s=60.0, cpu_s=30.0),
        profile="default",
        hash_seed=0,
        stdin=json.dumps(batch),
        argv=(),
    )
