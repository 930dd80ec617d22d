TURNS = ("<|im_start|>", "<|im_end|>")
STOP = ["</s>", "<|endoftext|>", "[/INST]", "### Instruction:"]


def render(messages):
    """ChatML: <|im_start|>role, newline, text, <|im_end|>."""
    start, end = TURNS
    return "".join(f"{start}{m['role']}\n{m['content']}{end}\n" for m in messages) + start + "assistant\n"


def cut(text):
    """Cut at the first stop string, e.g. "a</s>b" becomes "a"."""
    ends = [at for at in (text.find(stop) for stop in STOP) if at >= 0]
    return text[: min(ends, default=len(text))]
