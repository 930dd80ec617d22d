def collatz(n):
    return [n] + collatz(n // 2 if n % 2 == 0 else 3 * n + 1) if n > 1 else [1]


def longest(limit):
    best = max(((len(c), n) for n in range(1, limit) if (c := collatz(n))), default=(0, 0))
    return best[1]


TABLE = {(i, j): i * j for i in range(3) for j in range(3) if i != j}
NESTED = [[x for x in row if x] for row in [[0, 1], [2, 0]]]
