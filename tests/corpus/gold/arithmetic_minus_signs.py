def solve(a, b, c):
    """Real roots of a*x**2 + b*x + c = 0, smallest first."""
    d = b**2 - 4 * a * c
    if d < 0:
        return []
    if d == 0:
        return [-b / (2 * a)]
    r = d**0.5
    x1, x2 = (-b - r) / (2 * a), (-b + r) / (2 * a)
    return [x1, x2] if x1 <= x2 else [x2, x1]


def same(x, y, eps=1e-9):
    return x != y and abs(x - y) >= eps or x == y
