t = int(input())
for _ in range(t):
    a, b = map(int, input().split())
    if a > b:
        print("YES")
    elif a == b:
        print("SAME")
    else:
        print("NO")
