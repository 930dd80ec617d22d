"""Test suites scored by what they catch, and runs of models that write them."""
