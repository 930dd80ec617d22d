import re

OPEN, CLOSE = "<think>", "</think>"
PATTERN = re.compile(r"<think>(.*?)</think>", re.DOTALL)


def split_reasoning(reply):
    """Return (reasoning, answer) of a reply such as "<think>hm</think>42"."""
    found = PATTERN.search(reply)
    if found is None:
        return "", reply
    return found.group(1), reply[found.end():]


def wrap(thoughts):
    return f"{OPEN}\n{thoughts}\n{CLOSE}\n"
