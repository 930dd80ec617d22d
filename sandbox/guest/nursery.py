"""Where children come from, and whose they are."""

from dataclasses import dataclass

from .zygote import Zygote

FIRST_UID = 20000
STARTS = 5000
"""With 10,000 attempts in a container the last user is still below 65536, where user namespaces may end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nursery:
    """Where children come from."""

    plain: Zygote
    """Only what every program's interpreter has, and our own modules."""
    pytest: Zygote

    @property
    def pids(self) -> frozenset[int]:
        """The zygotes that are there."""
        return frozenset(zygote.pid for zygote in (self.plain, self.pytest) if zygote.is_there)

    def wait_until_warm(self) -> None:
        """Return when children can be had.

        Raises:
            SpawnError: a zygote could not be warmed.
        """
        for zygote in (self.plain, self.pytest):
            zygote.wait_until_warm()


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """The users of one attempt; no two attempts share one, in one container or (with luck) side by side.

    The kernel counts pipes, timers and more per user, and without user namespaces a user of one container
    is the same one in the next.
    """

    compile: int
    collect: int
    run: int

    @classmethod
    def of(cls, attempt: int, start: int) -> "Users":
        """Return those of the attempt with this number, from 0, in a container that has drawn `start`."""
        first = FIRST_UID + 3 * (attempt + start)
        return cls(compile=first, collect=first + 1, run=first + 2)
