README = """\
# Tool

Install it:

```bash
pip install tool
```

Use it:

```python
import tool
tool.run()
```
"""


def code_blocks(text=README):
    """Yield (language, body) of every fenced block of a Markdown text."""
    language, body = None, []
    for line in text.splitlines():
        if line.startswith("```"):
            if language is None:
                language, body = line[3:].strip(), []
            else:
                yield language, "\n".join(body)
                language = None
        elif language is not None:
            body.append(line)
