"""One model at a time on a server, also where another model repairs: its calls wait until they are due.

Local servers hold one model. So the measured models of a server make their calls first, then the repairing
model makes all of its own, and so on until no sample waits. A sample whose turn is over is run again from
its start: what is known is looked up, and it goes on where it was.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace

from evaluator.running.plan import Plan, PlannedModel
from evaluator.running.sample import SampleSpec
from evaluator.running.scheduler import Lane


class Turns:
    """Whose turn it is, and which samples wait for the next one. Thread-safe."""

    def __init__(self, plan: Plan) -> None:
        self._lock = threading.Lock()
        self._waiting: list[SampleSpec] = []
        self._repairing = False
        repairer, apart = plan.repairer, plan.config.server.parallel_models
        shared = repairer is not None and not apart and any(map(repairer.shares_server, plan.models))
        self._server = repairer.entry.server if repairer and shared else None
        """The server that is shared; None where none is."""

    def lets_measured(self, model: PlannedModel) -> bool:
        """Whether a measured model may be asked now."""
        return not self._repairing or model.entry.server != self._server

    def lets_repairer(self) -> bool:
        """Whether the repairing model may be asked now."""
        return self._repairing or self._server is None

    def wait(self, spec: SampleSpec) -> None:
        """Put a sample aside until the next turn."""
        with self._lock:
            self._waiting.append(spec)

    def next_lanes(self, lanes: Sequence[Lane[SampleSpec]]) -> list[Lane[SampleSpec]]:
        """Begin the next turn, and give what waits for it; nothing where all is done."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
            self._repairing = not self._repairing
        found = [
            replace(lane, specs=tuple(spec for spec in waiting if spec.model.label == lane.model))
            for lane in lanes
        ]
        return [lane for lane in found if lane.specs]
