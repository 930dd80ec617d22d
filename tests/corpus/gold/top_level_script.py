import sys

data = sys.stdin.read().split()
n = int(data[0]) if data else 0
values = list(map(int, data[1 : n + 1]))
best = current = 0
for value in values:
    current = max(0, current + value)
    best = max(best, current)
print(best)
