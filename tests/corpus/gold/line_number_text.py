LISTING = """
1: first
2: second
3: third
"""


def number(text, start=1):
    """Number the lines of a text: "1: first"."""
    return "\n".join(f"{n}: {line}" for n, line in enumerate(text.splitlines(), start))


def parse(listing=LISTING):
    pairs = (line.partition(": ") for line in listing.strip().splitlines())
    return {int(n): text for n, _, text in pairs}
