FENCE = "```"


def fence(code, language="python"):
    return f"{FENCE}{language}\n{code.rstrip()}\n{FENCE}\n"


def is_fence(line):
    return line.strip().startswith(("```", "~~~"))
