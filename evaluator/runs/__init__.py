"""A run on disk: its records, how they are written, read and exported."""
