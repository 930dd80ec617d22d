def long_condition(a, b, c):
    if a > 0 and \
            b > 0 and \
            c > 0:
        return "all" \
            " positive"
    total = a + \
        b + \
        c
    return total
