"""Test suites scored by what they catch."""
