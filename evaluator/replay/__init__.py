"""Recorded replies played again, and new verdicts for old runs."""
