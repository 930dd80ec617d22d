"""What else code is put into: tags, JSON, tool calls, shells, other markup."""

import html
import json
import random
from dataclasses import replace

from tests.corpus.draft import Dirt, Draft, Stage, block, lossless


def _wrapped(draft: Draft, text: str) -> Draft:
    return replace(draft, text=text, form="wrapped")


def _body(draft: Draft) -> str:
    return draft.text if draft.text.endswith("\n") else draft.text + "\n"


def _clear_of(draft: Draft, *words: str) -> bool:
    return not any(word in draft.text for word in words)


def tags(draft: Draft, rng: random.Random) -> Draft | None:
    """Tags that prompts of agents ask for."""
    tag = rng.choice(("solution", "execute", "code", "answer", "python", "final_answer", "script"))
    if not _clear_of(draft, f"<{tag}", f"</{tag}"):
        return None
    inner = _body(draft) if rng.random() < 0.6 else block(draft.text) + "\n"
    return _wrapped(draft, f"<{tag}>\n{inner}</{tag}>")


def square_tags(draft: Draft, rng: random.Random) -> Draft:
    """Code Llama's and MBPP's marks."""
    opener, closer = rng.choice(
        (
            ("[PYTHON]", "[/PYTHON]"),
            ("[BEGIN]", "[DONE]"),
            ("[CODE]", "[/CODE]"),
            ("[code]", "[/code]"),
            ("[code=python]", "[/code]"),
            ("{code:python}", "{code}"),
        )
    )
    return _wrapped(draft, f"{opener}\n{_body(draft)}{closer}")


def python_and_tests_tags(draft: Draft, rng: random.Random) -> Draft | None:
    """Code Llama gives its tests in tags of their own."""
    if not draft.name or draft.asked.kind == "tests":
        return None
    tests = f"[TESTS]\n# Test case 1:\nassert {draft.name} is not None\n# Test case 2:\nassert callable({draft.name})\n[/TESTS]"
    return _wrapped(draft, f"[PYTHON]\n{_body(draft)}[/PYTHON]\n{tests}")


def file_tag(draft: Draft, rng: random.Random) -> Draft | None:
    """A tag that names the file, perhaps with CDATA."""
    if not _clear_of(draft, "]]>", "</file>", "</artifact>"):
        return None
    shape = rng.choice((
        '<file path="solution.py">\n{0}</file>',
        '<file name="solution.py"><![CDATA[\n{0}]]></file>',
        '<artifact identifier="solution" type="application/vnd.ant.code" language="python" title="Solution">\n{0}</artifact>',
        "<|file_sep|>solution.py\n{0}<|/ file |>",
    ))  # fmt: skip
    return _wrapped(draft, shape.replace("{0}", _body(draft)))


def json_object(draft: Draft, rng: random.Random) -> Draft:
    """An object with the code under a telling key."""
    key = rng.choice(("code", "solution", "answer", "script", "python_code"))
    extra = rng.choice(({}, {"language": "python"}, {"explanation": 'It walks over the input: {"a": 1}.'}))
    items = list({**extra, key: draft.text}.items())
    rng.shuffle(items)
    text = json.dumps(dict(items), indent=rng.choice((None, 2, 4)), ensure_ascii=rng.random() < 0.5)
    return _wrapped(draft, block(text, rng.choice(("json", "json", ""))) if rng.random() < 0.5 else text)


def loose_json(draft: Draft, rng: random.Random) -> Draft | None:
    """JSON with line breaks as they are inside the string, which the strict parser refuses."""
    text = draft.text.replace("\\", "\\\\").replace('"', '\\"')
    return _wrapped(draft, '{\n  "code": "' + text + '"\n}') if "\t" not in draft.text else None


def json_string(draft: Draft, rng: random.Random) -> Draft:
    """The code as one JSON string."""
    return _wrapped(draft, json.dumps(draft.text))


def escaped_newlines(draft: Draft, rng: random.Random) -> Draft | None:
    r"""All on one line, with \\n written out."""
    if "\\" in draft.text or "\r" in draft.text or draft.text.count("\n") < 2:
        return None
    return _wrapped(draft, draft.text.replace("\n", "\\n").replace("\t", "\\t"))


def yaml_block(draft: Draft, rng: random.Random) -> Draft | None:
    """A YAML mapping with a literal block."""
    if "\t" in draft.text or "\r" in draft.text or draft.text[:1] in " \n":
        return None
    inner = "".join(f"  {line}\n" if line else "\n" for line in draft.text.removesuffix("\n").split("\n"))
    text = f"language: python\ncode: |\n{inner}"
    return _wrapped(draft, block(text, "yaml") if rng.random() < 0.5 else text)


def tool_call(draft: Draft, rng: random.Random) -> Draft | None:
    """A call of a tool that would run or write the code."""
    if not _clear_of(draft, "</parameter>", "</tool_call>", "<tool_call>"):
        return None
    kind = rng.randrange(4)
    if kind == 0:
        call = {"name": "python", "arguments": {"code": draft.text}}
        return _wrapped(draft, f"<tool_call>\n{json.dumps(call)}\n</tool_call>")
    if kind == 1:
        return _wrapped(
            draft,
            json.dumps(
                {
                    "name": "write_file",
                    "arguments": json.dumps({"path": "solution.py", "content": draft.text}),
                }
            ),
        )
    if kind == 2:
        return _wrapped(
            draft,
            f'<function_calls>\n<invoke name="write_file">\n<parameter name="path">solution.py</parameter>\n<parameter name="content">{draft.text}</parameter>\n</invoke>\n</function_calls>',
        )
    return _wrapped(draft, f"<function=python>\n<parameter=code>\n{_body(draft)}</parameter>\n</function>")


def heredoc(draft: Draft, rng: random.Random) -> Draft | None:
    """A shell command that writes the file."""
    if not _clear_of(draft, "EOF"):
        return None
    opener = rng.choice(
        (
            "cat > solution.py << 'EOF'",
            "cat <<'EOF' > solution.py",
            'cat << "EOF" > /tmp/solution.py',
            "python3 - <<'EOF'",
        )
    )
    text = f"{opener}\n{_body(draft)}EOF\n" + rng.choice(("", "python solution.py\n"))
    return _wrapped(draft, block(text, rng.choice(("bash", "sh", ""))))


def notebook_json(draft: Draft, rng: random.Random) -> Draft:
    """A notebook as its file is."""
    lines = draft.text.split("\n")
    source = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Solution\n", "This solves the task."]},
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": source},
    ]
    return _wrapped(
        draft,
        json.dumps(
            {
                "cells": cells,
                "metadata": {"language_info": {"name": "python"}},
                "nbformat": 4,
                "nbformat_minor": 5,
            },
            indent=1,
        ),
    )


def html_pre(draft: Draft, rng: random.Random) -> Draft:
    """A web page's way: escaped, in pre and code."""
    shape = rng.choice(
        (
            '<pre><code class="language-python">{0}</code></pre>',
            "<pre>\n{0}</pre>",
            "<html><body>\n<p>Here is the code:</p>\n<pre><code>{0}</code></pre>\n</body></html>",
        )
    )
    return _wrapped(draft, shape.replace("{0}", html.escape(_body(draft), quote=rng.random() < 0.5)))


def details(draft: Draft, rng: random.Random) -> Draft:
    """A folded block, as on GitHub."""
    return replace(
        draft,
        text=f"<details>\n<summary>Click to see the solution</summary>\n\n{block(draft.text)}\n\n</details>",
        form="fence",
    )


def latex(draft: Draft, rng: random.Random) -> Draft | None:
    """LaTeX listings."""
    name, options = rng.choice(
        (("verbatim", ""), ("lstlisting", "[language=Python]"), ("minted", "{python}"))
    )
    return _wrapped(draft, f"\\begin{{{name}}}{options}\n{_body(draft)}\\end{{{name}}}")


def restructured_text(draft: Draft, rng: random.Random) -> Draft | None:
    """A code block of reStructuredText."""
    if "\t" in draft.text or not draft.pristine:
        return None
    inner = "".join(f"    {line}\n" if line else "\n" for line in draft.text.removesuffix("\n").split("\n"))
    return _wrapped(draft, f"The solution:\n\n.. code-block:: python\n\n{inner}\nIt is linear.\n")


def org_mode(draft: Draft, rng: random.Random) -> Draft:
    """A source block of Org mode."""
    return _wrapped(draft, f"#+BEGIN_SRC python\n{_body(draft)}#+END_SRC")


def search_replace(draft: Draft, rng: random.Random) -> Draft:
    """An edit block that makes a new file."""
    inner = f"<<<<<<< SEARCH\n=======\n{_body(draft)}>>>>>>> REPLACE\n"
    return _wrapped(draft, "solution.py\n" + block(inner))


def begin_end_marks(draft: Draft, rng: random.Random) -> Draft:
    """Rulers above and below."""
    top, end = rng.choice(
        (
            ("--- BEGIN CODE ---", "--- END CODE ---"),
            ("=" * 30, "=" * 30),
            ("-----", "-----"),
            ("***", "***"),
            ("\\begin{code}", "\\end{code}"),
        )
    )
    return _wrapped(draft, f"{top}\n{_body(draft)}{end}")


DIRT: tuple[Dirt, ...] = tuple(
    lossless(make.__name__, Stage.WRAP, make)
    for make in (
        tags, square_tags, python_and_tests_tags, file_tag, json_object, loose_json, json_string,
        escaped_newlines, yaml_block, tool_call, heredoc, notebook_json, html_pre, details, latex,
        restructured_text, org_mode, search_replace, begin_end_marks,
    )
)  # fmt: skip
