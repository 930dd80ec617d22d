import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL, -- shown
    age INTEGER CHECK (age >= 0)
);
"""


class Users:
    def __init__(self, path=":memory:"):
        self.db = sqlite3.connect(path)
        self.db.executescript(SCHEMA)

    def add(self, name, age):
        cursor = self.db.execute("INSERT INTO users (name, age) VALUES (?, ?)", (name, age))
        return cursor.lastrowid

    def older_than(self, age):
        rows = self.db.execute("SELECT name FROM users WHERE age > ? ORDER BY name", (age,))
        return [name for (name,) in rows]
