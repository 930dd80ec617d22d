"""What makes a warm-up cheap: most of what a container costs is the imports in it."""

import gc

from . import shelf


class WarmUp:
    """Until its end modules come from the shelf or are stand-ins, and no garbage is looked for."""

    def __init__(self) -> None:
        gc.disable()
        self._shelf = shelf.opened()
        from . import later  # noqa: PLC0415 -- from the shelf as well

        self._later = later
        later.put_up()

    def end(self) -> None:
        """Let everything be as in any interpreter."""
        self._later.take_down()
        if self._shelf is not None:
            self._shelf.close()
        # Else the next allocation would have all of it looked through, for less than that is worth.
        gc.freeze()
        gc.enable()
