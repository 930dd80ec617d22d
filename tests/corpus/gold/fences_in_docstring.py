def table(rows):
    """Render rows as a Markdown table.

    Example:

    ```python
    print(table([["a", "b"], [1, 2]]))
    ```

    gives

    ```
    | a | b |
    |---|---|
    | 1 | 2 |
    ```
    """
    head, *rest = [[str(cell) for cell in row] for row in rows]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rest]
    return "\n".join(lines)
