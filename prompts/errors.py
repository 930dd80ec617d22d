"""Errors in task files, templates and recordings: each says where (file and line) and what to do.

PromptError
├── TaskError                 one fault in one task file
├── TaskErrors                all the faults of a folder, reported together
├── NothingSelected           a batch, a task or a folder that was asked for is not there
├── TemplateError             a template is missing or broken
└── RecordingError            a recorded reply is missing a field or broken

`prompts` is a leaf that imports nothing above it, so this tree has a base of its own.
"""

from collections.abc import Sequence
from pathlib import Path


class PromptError(Exception):
    """Base of every error about the files of this package, or of a user's own."""


class TaskError(PromptError):
    """One fault in one task file. `line` counts from 1; it is None where no line is to blame."""

    def __init__(self, message: str, *, path: Path, line: int | None = None) -> None:
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")
        self.message = message
        self.path = path
        self.line = line


class TaskErrors(PromptError):
    """Every fault that was found, so that one round of mending is enough."""

    def __init__(self, errors: Sequence[TaskError]) -> None:
        count = f"{len(errors)} errors in task files" if len(errors) > 1 else "1 error in a task file"
        super().__init__("\n".join([f"{count}:", *(f"  {error}" for error in errors)]))
        self.errors = tuple(errors)


class NothingSelected(PromptError):
    """A batch, a task or a folder that was asked for is not there."""


class TemplateError(PromptError):
    """A template is missing or cannot be rendered."""


class RecordingError(PromptError):
    """A file of recorded replies is broken."""
