"""Writes docs/cleaning.md from the table of rules: `python -m repair.cleaning > docs/cleaning.md`."""

import sys

from repair.cleaning.guide import guide

if __name__ == "__main__":
    sys.stdout.write(guide())
