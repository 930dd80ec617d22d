"""Text that a model or a program wrote, made safe to show: nothing moves a cursor or turns a line round."""

import hashlib
import re
import unicodedata
from typing import Final

# Terminal sequences: CSI … final byte; OSC, DCS, SOS, PM, APC … up to BEL or ST; other two-byte escapes.
_ANSI: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"
    "|(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"
    "|\x1b[ -/]*[0-~]"
)
# C0 (but tab and newline), DEL, C1, soft hyphen, invisible and direction-changing marks, line and
# paragraph separators, surrogates, non-characters, tags: what a reader cannot see, or XML cannot hold.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
_ESCAPES: Final = ((2, "x"), (4, "u"), (8, "U"))
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
_NAME_CHARS: Final = 60
_HASH_CHARS: Final = 8


def visible(text: str) -> str:
    r"""Write every hidden character as an escape such as `\u202e`; tabs and newlines stay."""
    return _HIDDEN.sub(_escape, text.replace("\r\n", "\n"))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    width, letter = next((width, letter) for width, letter in _ESCAPES if code < 16**width)
    return f"\\{letter}{code:0{width}x}"


def for_terminal(text: str) -> str:
    """Drop terminal sequences and make what else is hidden visible; tabs and newlines stay."""
    return visible(_ANSI.sub("", text))


def one_line(text: str, limit: int = 200) -> str:
    """Make a text safe for a terminal and put it on one line of at most `limit` characters."""
    return clip(" ".join(for_terminal(text[: 20 * limit]).split()), limit)


def clip(text: str, limit: int) -> str:
    """Cut a text to `limit` characters, an ellipsis included."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def file_name(text: str) -> str:
    """Make a file name that is safe on every system; whatever was changed gets a hash of the real text.

    Different texts give names that differ, even where case does not count, except that two plain names
    may still differ in case alone: see `Names`.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", unicodedata.normalize("NFKC", text[:1000]))
    plain = plain.strip(" ._")[:_NAME_CHARS].rstrip(" ._") or "unnamed"
    stem = plain.partition(".")[0]
    reserved = stem.casefold() in _RESERVED
    if plain == text and not reserved:
        return plain
    return f"{stem if reserved else plain}~{_digest(text)[:_HASH_CHARS]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Names:
    """Gives each text of one folder a file name of its own, also where case does not count."""

    def __init__(self, *reserved: str) -> None:
        self._names: dict[str, str] = {}
        self._taken = {name.casefold() for name in reserved}

    def __call__(self, text: str) -> str:
        """Return the file name of `text`; the same text always has the same name."""
        if text not in self._names:
            self._names[text] = self._free(text)
            self._taken.add(self._names[text].casefold())
        return self._names[text]

    def _free(self, text: str) -> str:
        name, digest = file_name(text), _digest(text)
        for length in range(_HASH_CHARS, len(digest) + 1):
            if name.casefold() not in self._taken:
                break
            name = f"{file_name(text).partition('~')[0]}~{digest[:length]}"
        return name
