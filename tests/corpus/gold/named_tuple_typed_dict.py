from typing import Literal, NamedTuple, TypedDict


class Move(NamedTuple):
    piece: str
    to: tuple[int, int] = (0, 0)


class Options(TypedDict, total=False):
    mode: Literal["fast", "safe"]
    depth: int


def best(moves: list[Move], options: Options | None = None) -> Move:
    depth = (options or {}).get("depth", 1)
    return max(moves, key=lambda move: (len(move.piece) * depth, move.to))
