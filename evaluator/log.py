"""structlog for a run: warnings to standard error, everything to log.jsonl, local variables nowhere."""

import logging
import sys
from pathlib import Path

import structlog
from structlog.processors import ExceptionRenderer, JSONRenderer, StackInfoRenderer, TimeStamper
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter, add_log_level, add_logger_name
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

_NOISY = ("httpx2", "httpcore2", "docker", "urllib3", "openai", "asyncio", "matplotlib", "filelock")


def configure_logging(verbosity: int = 0, file: Path | None = None) -> None:
    """Set logging up once, from the command line only.

    `verbosity` 0 shows warnings, 1 information, 2 everything on standard error; the file gets everything.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_log_level,
        add_logger_name,
        TimeStamper(fmt="iso", utc=True),
        StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, ProcessorFormatter.wrap_for_formatter],
        logger_factory=LoggerFactory(),
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=False,
    )
    handlers = [_console_handler(verbosity, shared)]
    if file is not None:
        handlers.append(_file_handler(file, shared))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _console_handler(verbosity: int, shared: list[Processor]) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(max(logging.DEBUG, logging.WARNING - 10 * verbosity))
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, renderer]
        )
    )
    return handler


def _file_handler(file: Path, shared: list[Processor]) -> logging.Handler:
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setLevel(logging.DEBUG)
    # show_locals would write keys and prompts into the log.
    exceptions = ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[ProcessorFormatter.remove_processors_meta, exceptions, JSONRenderer()],
        )
    )
    return handler
