SPACES = "a\u00a0b c d　e"
LINES = "one two threefour"
ZERO = "x​y﻿z"


def visible(text):
    """Show what cannot be seen."""
    return [hex(ord(c)) for c in text if not c.isalnum()]
