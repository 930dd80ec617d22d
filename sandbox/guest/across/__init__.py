"""Tests and script in two processes: values, objects and calls travel between them as plain data."""
