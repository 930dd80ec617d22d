from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar, overload

T = TypeVar("T")


class Sized(Protocol):
    def __len__(self) -> int: ...


class Ring(Generic[T]):
    def __init__(self, size: int) -> None:
        self._items: list[T | None] = [None] * size
        self._at: int = 0

    def put(self, item: T) -> None:
        self._items[self._at % len(self._items)] = item
        self._at += 1

    def __iter__(self) -> Iterator[T]:
        for item in self._items:
            if item is not None:
                yield item

    @overload
    def __getitem__(self, at: int) -> T | None: ...
    @overload
    def __getitem__(self, at: slice) -> list[T | None]: ...
    def __getitem__(self, at):
        return self._items[at]
