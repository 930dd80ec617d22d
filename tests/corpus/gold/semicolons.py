import sys; sys.setrecursionlimit(10_000)
x = 1; y = 2; z = x + y


def swap(a, b): a, b = b, a; return a, b


class Empty: pass
