from dataclasses import dataclass


@dataclass
class Circle:
    radius: float


@dataclass
class Rect:
    width: float
    height: float


def area(shape):
    match shape:
        case Circle(radius=r):
            return 3.14159 * r * r
        case Rect(width=w, height=h) if w == h:
            return w**2
        case Rect(w, h):
            return w * h
        case {"kind": "square", "side": side}:
            return side * side
        case [a, b, *_]:
            return a * b
        case _:
            raise TypeError(f"no shape: {shape!r}")


match = 3
case = match + 1
