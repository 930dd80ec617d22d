"""The script's log goes to the tests, whose handlers and levels count."""

import logging
from typing import Any


class Forward(logging.Handler):
    """Hands records of the log to the tests, whose handlers and levels count."""

    def __init__(self, peer: Any) -> None:
        super().__init__(0)
        self._peer = peer

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one over."""
        facts = {key: value for key, value in vars(record).items() if key not in {"exc_info", "taskName"}}
        error = record.exc_info[1] if record.exc_info else None
        self._peer.ask("service", ("log", facts, error))


def forward(peer: Any) -> None:
    """Have every record handed over."""
    logging.getLogger().addHandler(Forward(peer))
    logging.getLogger().setLevel(1)
