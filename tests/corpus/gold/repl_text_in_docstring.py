"""A module whose documentation is a session:

>>> stack = Stack()
>>> for n in range(3):
...     stack.push(n)
...
>>> stack.pop()
2
>>> stack
Stack([0, 1])
"""


class Stack:
    """Last in, first out.

    >>> Stack([1]).pop()
    1
    """

    def __init__(self, items=()):
        self._items = list(items)

    def push(self, item):
        self._items.append(item)

    def pop(self):
        return self._items.pop()

    def __repr__(self):
        return f"Stack({self._items})"
