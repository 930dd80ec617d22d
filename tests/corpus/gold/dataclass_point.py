from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot


@dataclass(frozen=True, order=True)
class Point:
    x: float = 0.0
    y: float = 0.0
    tags: tuple[str, ...] = field(default=(), compare=False)

    def distance(self, other: Point) -> float:
        return hypot(self.x - other.x, self.y - other.y)


def nearest(origin: Point, points: list[Point]) -> Point | None:
    return min(points, key=origin.distance, default=None)
