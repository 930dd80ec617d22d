def report(rows, width=10):
    total = sum(value for _, value in rows)
    lines = [f"{name:<{width}}|{value:>{width}.2f}|{f'{value / total:.1%}' if total else '-':>6}" for name, value in rows]
    lines.append(f"{'total':<{width}}|{total:>{width},.2f}|{{100%}}")
    return "\n".join(lines)


def debug(x):
    return f"{x=} {x!r:>10} {'{' + str(x) + '}'}"
