"""The command line. Commands live in evaluator/commands and are loaded when they are called."""

import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from importlib import metadata

import click

from evaluator.errors import UsageProblem
from prompts.errors import PromptError
from sandbox.errors import MendError

EXIT_THRESHOLD, EXIT_USAGE, EXIT_OURS, EXIT_INTERRUPTED = 1, 2, 3, 130

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "bench": ("evaluator.commands.bench", "Run tasks on models, with repairs, and report."),
    "clean": ("evaluator.commands.clean", "Say what the cleaner makes of replies, and why."),
    "compare": ("evaluator.commands.compare", "Compare two runs, or the models of one, task by task."),
    "doctor": (
        "evaluator.commands.doctor",
        "Say whether this machine is fit, with a mend for each finding.",
    ),
    "export": ("evaluator.commands.export", "Write a run as a tree of files to browse."),
    "models": ("evaluator.commands.models", "List the models of the servers on this machine."),
    "reap": ("evaluator.commands.reap", "Remove containers whose bench is gone."),
    "regrade": ("evaluator.commands.regrade", "Judge the saved replies of a run anew, without any model."),
    "replay": ("evaluator.commands.replay", "Run the loop over recorded histories of models."),
    "report": ("evaluator.commands.report", "Make the reports of a run again, from its journal."),
    "run": ("evaluator.commands.run", "Run one script in a throwaway container and say what became of it."),
    "score": ("evaluator.commands.score", "Judge samples that you bring: JSON lines, folders, lists."),
    "suites": ("evaluator.commands.suites", "Score test suites by the faults that they catch."),
    "tasks": ("evaluator.commands.tasks", "List tasks, or check that they test what they ask for."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        if not isinstance(command, click.Command):
            raise TypeError(cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, so that help does not load every command.
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(metadata.version("mendbench"), prog_name="mendbench")
def group() -> None:
    """Measure how well language models write Python, and how much a repair loop helps."""


def main() -> None:
    """Run the command line; errors of ours become one message and an exit code."""
    try:
        code = group.main(standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        code = EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        code = EXIT_INTERRUPTED
    except (UsageProblem, PromptError) as exc:
        code = _fail(exc, EXIT_USAGE)
    except MendError as exc:
        code = _fail(exc, EXIT_OURS)
    except BrokenPipeError:
        # The reader of our output has gone; nothing is left to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_OURS
    except OSError as exc:
        code = _fail(exc, EXIT_OURS)
    except Exception:  # noqa: BLE001 - the last line of defence
        # Not a threshold that was missed: our own fault, and worth a report.
        sys.stderr.write(f"mendbench: this is a bug; please report it\n{traceback.format_exc()}")
        code = EXIT_OURS
    sys.exit(code if isinstance(code, int) else 0)


def _fail(exc: Exception, code: int) -> int:
    from evaluator.safe_text import for_terminal  # noqa: PLC0415 - only needed here

    click.echo(f"mendbench: {for_terminal(str(exc))}", err=True)
    return code


if __name__ == "__main__":
    main()
