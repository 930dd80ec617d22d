"""A model made of a function, for tests and dry runs."""

import threading
from collections.abc import Callable

from repair.llm import Completion, Request


class FakeLLM:
    """An `LLM` whose replies come from `handler`; what it raises is raised. Keeps all requests."""

    def __init__(self, handler: Callable[[Request], Completion | str]) -> None:
        self._handler = handler
        self._lock = threading.Lock()
        self.requests: list[Request] = []

    def complete(self, request: Request) -> Completion:
        """Reply as the handler says; a string is a whole reply that ended by itself."""
        with self._lock:
            self.requests.append(request)
        reply = self._handler(request)
        return Completion(text=reply, finish_reason="stop") if isinstance(reply, str) else reply
