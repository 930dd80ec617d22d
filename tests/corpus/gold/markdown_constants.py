TEMPLATE = """
# {title}

> A quote.

1. First
2. Second

* **bold**, _italic_ and `code`

Here is the result:
"""

FOOTER = """
I hope this helps! Let me know if you have any questions.
"""


def page(title: str, body: str) -> str:
    return TEMPLATE.format(title=title).strip() + "\n\n" + body + "\n" + FOOTER
