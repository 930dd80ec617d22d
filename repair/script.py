"""What came out of a reply: the script, and every edit that made it."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class EditClass(StrEnum):
    """How far an edit may be trusted."""

    LOSSLESS = "lossless"
    """What a person would have extracted."""
    NORMALISING = "normalising"
    """Changes characters that cannot be valid where they stand."""
    LOSSY = "lossy"
    """Drops or invents code."""


class CleanOutcome(StrEnum):
    """What cleaning made of a reply."""

    RAW = "raw"
    """The reply is the script."""
    CLEANED = "cleaned"
    """Lossless and normalising edits only."""
    LOSSY = "lossy"
    """At least one edit dropped or invented code."""
    UNPARSABLE = "unparsable"
    """Code was found, but compile() refuses it; it goes to the guest as it is."""
    NO_CODE = "no_code"
    """Nothing that looks like an answer."""
    LLM_CLEANED = "llm_cleaned"
    """A model mended the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One rule that fired."""

    rule: str
    kind: EditClass
    detail: str = ""
    dropped_chars: int = 0
    spans: tuple[tuple[int, int], ...] = ()
    """Where in the reply it took something away or changed it; a few dozen at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The code of an attempt, or the reason why there is none."""

    code: str | None
    outcome: CleanOutcome
    edits: tuple[Edit, ...] = ()
    raw_compiles: bool = False
    """Whether the reply, untouched, compiles on the host and defines what is required (ranking only)."""
    compiles: bool = False
    """Whether the code compiles on the host (ranking only; the guest's compile() decides)."""
    reason: str = ""
    """Why there is no code, or what befell the cleaner (`reasoning_unfinished`, `worker_died`, …)."""
    spans: tuple[tuple[int, int], ...] = ()
    """The parts of the reply that the code was taken from."""
    tests: str = ""
    """Tests that stood beside the script and were split from it."""
    flags: tuple[str, ...] = ()
    """What was seen and left alone (`redefined: f`, `runs_at_import`, `shadows_solution`, …)."""
    syntax_sha256: str = ""
    """Hash of the syntax tree, where there is one: equal for scripts that differ in layout alone."""

    @property
    def sha256(self) -> str:
        """Hash of the code; of nothing, if there is none."""
        return hashlib.sha256((self.code or "").encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """What two scripts share when a model repeats itself."""
        return self.syntax_sha256 or self.sha256
