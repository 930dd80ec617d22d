"""Looks at code that compiles: its tokens, which lines lie in strings, and plausible wrong versions of it."""

import ast
import io
import random
import re
import tokenize

LAYOUT = {
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}

STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def tokens(code: str) -> list[tokenize.TokenInfo]:
    """Tokens of code that compiles, without layout."""
    found = tokenize.generate_tokens(io.StringIO(code, newline="").readline)
    return [token for token in found if token.type not in LAYOUT and token.string]


def offsets(code: str) -> list[int]:
    r"""Where each line begins; lines are what the tokenizer counts, ends of \\n alone."""
    starts = [0]
    starts += [at + 1 for at, char in enumerate(code) if char == "\n"]
    return starts


def simple(code: str) -> bool:
    r"""Whether lines are ended by \\n alone, so that the tokenizer's positions can be trusted."""
    return "\r" not in code and "\x0c" not in code


def edit_tokens(code: str, change: "dict[int, str]", found: list[tokenize.TokenInfo]) -> str:
    """Put other text in the place of some tokens, given by their index."""
    starts = offsets(code)
    for index in sorted(change, reverse=True):
        token = found[index]
        begin = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        code = code[:begin] + change[index] + code[end:]
    return code


def lines_in_strings(code: str) -> set[int]:
    """Zero-based lines that begin inside a string."""
    inside: set[int] = set()
    for token in tokens(code):
        if token.type in STRINGS:
            inside.update(range(token.start[0], token.end[0]))
    return inside


def statements(code: str) -> list[str]:
    """The top-level statements with the comments and decorators above them; joined they are the code."""
    lines = code.split("\n")
    body = ast.parse(code).body
    ends = [node.end_lineno or 0 for node in body]
    starts = [0, *ends[:-1]]
    if len(set(ends)) < len(ends):
        return [code]
    parts = ["\n".join(lines[a:b]) for a, b in zip(starts, ends, strict=True)]
    parts[-1] = "\n".join([parts[-1], *lines[ends[-1] :]])
    return parts


WRONG = {
    "<": "<=",
    ">": ">=",
    "<=": "<",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "+": "-",
    "-": "+",
    "and": "or",
    "or": "and",
}


def wrong_version(code: str, rng: random.Random) -> str | None:
    """The same names with a plausible mistake, as a first draft has it; it compiles and its tree differs."""
    if not simple(code):
        return None
    found = tokens(code)
    places = [i for i, token in enumerate(found) if token.string in WRONG and i > 3]
    numbers = [i for i, t in enumerate(found) if t.type == tokenize.NUMBER and t.string.isdigit()]
    rng.shuffle(places)
    tries = [(i, WRONG[found[i].string]) for i in places]
    tries += [(i, str(int(found[i].string) + 1)) for i in numbers]
    for index, text in tries[:8]:
        other = edit_tokens(code, {index: text}, found)
        if compiles(other) and ast.dump(ast.parse(other)) != ast.dump(ast.parse(code)):
            return other
    other = re.sub(r"return (?!None\b).+", "return None", code, count=1)
    return other if other != code and compiles(other) else None


def stub(code: str) -> str | None:
    """The signatures alone, as a plan shows them, where the program has any."""
    parts: list[str] = []
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef):
            parts.append(f"def {node.name}({ast.unparse(node.args)}):\n    # TODO: implement\n    pass\n")
        elif isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
            inner = [f"    def {m.name}({ast.unparse(m.args)}):\n        ...\n" for m in methods]
            parts.append(f"class {node.name}:\n" + ("\n".join(inner) or "    pass\n"))
    text = "\n\n".join(parts)
    return text if text and compiles(text) else None


def renamed(code: str, name: str, other: str) -> str | None:
    """The program with another name for one of its definitions."""
    text = re.sub(rf"\b{re.escape(name)}\b", other, code)
    return text if text != code and compiles(text) else None


def compiles(code: str) -> bool:
    """Whether compile() takes it."""
    try:
        compile(code, "reply", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True
