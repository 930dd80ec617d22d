"""Scores a test suite by what it catches: makes mutants of the script, and runs the suite on each of them."""
