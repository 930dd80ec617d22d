import re

TOKEN = re.compile(
    r"""
    (?P<number>\d+(?:\.\d*)?)   # 12 or 12.5
  | (?P<name>[A-Za-z_]\w*)
  | (?P<op>[-+*/()=<>!]=?|\*\*)
  | (?P<space>\s+)
    """,
    re.VERBOSE,
)


def tokens(text):
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise SyntaxError(f"bad character {text[at]!r} at {at}")
        if found.lastgroup != "space":
            yield found.lastgroup, found.group()
        at = found.end()


WINDOWS_PATH = "C:\\temp\\new"
RAW = r"\n is not a newline, \_ is not an escape"
