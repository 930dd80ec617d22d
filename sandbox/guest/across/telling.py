"""What goes beside a message: changes of what both sides hold, and what is not held any more."""

from typing import Any

from .graph import Decoder, Encoder
from .held import Held
from .kinds import Slot
from .link import LinkBroken


class Telling(Held):
    """Tells such things, and takes them over."""

    def _has_more_to_tell(self) -> Any:
        """Say whether something goes beside a message: containers, what has gone, the route of a thread."""
        return (
            self.shared_containers.entries
            or self._lost
            or self._released
            or self.has_news
            or self.threads is not None
        )

    def extras(self, encoder: Encoder) -> list[Any] | None:
        """Tell what has changed here, is not held any more, and was given back."""
        shared = self.shared_containers
        if self._lost:
            self._give_back()
        told = self.tell(encoder)
        if not shared and not self._released and told is None:
            return None
        # In this order: what nobody holds any more may have been changed just before.
        changes = shared.changes(encoder) if shared else []
        unheld = shared.unheld() if shared else []
        released, self._released = self._released, []
        encoder.taken = [changes, unheld, released]
        if changes or unheld or released or told is not None:
            return [changes, unheld, released, told]
        return None

    def tell(self, _encoder: Encoder) -> Slot:
        """Tell something beside a message."""
        return None

    def told(self, what: Any) -> None:
        """Take what the other side tells beside its message."""

    def accept_extras(self, extras: Any, decoder: Decoder) -> None:
        """Take over what the other side tells beside its message."""
        if extras is None:
            return
        if type(extras) is not list or len(extras) != 4:  # noqa: PLR2004 -- the parts below
            raise LinkBroken("extras with parts missing")
        changes, unheld, released, told = extras
        self.shared_containers.apply(changes, decoder)
        pairs = [
            pair
            for pair in (released if type(released) is list else ())
            if type(pair) is list and len(pair) == 2 and all(type(part) is int for part in pair)  # noqa: PLR2004
            if pair[0] in self._exports
        ]
        if self.threads is None:
            self.shared_containers.forget(unheld)
            self._release(pairs)
        else:
            if pairs:
                self.threads.later(lambda: self._release(pairs))
            if unheld:
                self.threads.later(lambda: self.shared_containers.forget(unheld))
        if told is not None:
            self.told(decoder.value(told))

    def _sent(self, encoder: Encoder) -> None:
        """Note what the other side has been told about."""
        if self.threads is None:
            self._described |= encoder.described
        else:
            # Another of its threads may get to see what is sent next before this one sees this.
            self.threads.seat().told |= encoder.described

    def _not_sent(self, encoder: Encoder) -> None:
        """Take back what a message that could not be sent would have said."""
        self.shared_containers.take_back(encoder.numbered, *encoder.taken[:2])
        for released in encoder.taken[2:]:
            self._released += released
