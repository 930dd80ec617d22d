"""Reasoning, roles and the templates of chats around the whole answer."""

import random
from dataclasses import replace

from tests.corpus.code_tools import simple, wrong_version
from tests.corpus.dirt import words
from tests.corpus.draft import Dirt, Draft, Stage, block, fenced, lossless

MUSING = (
    "Okay, so I need to write this program. Let me think about the edge cases. If the input is empty, return early.\n\nWait, what about negative numbers? Hmm, they should be fine.",
    "The user wants a function. I'll go step by step:\n1. parse\n2. loop\n3. return\n\nI think `x = 1` is the right start.",
    "We need to produce code only. Let's craft.",
    "Alright, let's tackle this. First, the rules:\n\n- Keys are joined with a dot.\n- Lists get an index.\n\nSo for {'a': [1, 2]} we get {'a.0': 1, 'a.1': 2}. Got it.",
)


def _clear(draft: Draft, *words_: str) -> bool:
    return not any(word in draft.text for word in words_)


def _musing(draft: Draft, rng: random.Random, *, code: bool) -> str:
    text = rng.choice(MUSING)
    first = wrong_version(draft.gold, rng) if code and draft.accepted and simple(draft.gold) else None
    if first:
        text += f"\n\nA first try:\n\n{block(first)}\n\nBut that is wrong for some inputs. Let me reconsider."
    return text


def think(draft: Draft, rng: random.Random) -> Draft:
    """A closed block of reasoning, often with a first try in it, then the answer."""
    opener, closer = rng.choice((
        ("<think>", "</think>"), ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
        ("<reasoning>", "</reasoning>"), ("[THINK]", "[/THINK]"), ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
        ("<seed:think>", "</seed:think>"), ("<|thinking|>", "<|/thinking|>"), ("<reflection>", "</reflection>"),
        ("<scratchpad>", "</scratchpad>"), ("<Think>", "</Think>"),
    ))  # fmt: skip
    text = f"{opener}\n{_musing(draft, rng, code=rng.random() < 0.7)}\n{closer}\n\n{draft.text}"
    return replace(draft, text=text, form="wrapped" if draft.form == "bare" else draft.form)


def empty_think(draft: Draft, rng: random.Random) -> Draft:
    """Reasoning was switched off: the block is empty."""
    return replace(draft, text=rng.choice(("<think>\n\n</think>\n\n", "<think></think>")) + draft.text)


def think_without_opener(draft: Draft, rng: random.Random) -> Draft:
    """The template opened the reasoning; only its end is in the reply."""
    text = f"{_musing(draft, rng, code=rng.random() < 0.7)}\n</think>\n\n{fenced(draft).text}"
    return replace(draft, text=text, form="fence")


def harmony_channels(draft: Draft, rng: random.Random) -> Draft:
    """Channels of analysis and final."""
    text = f"<|channel|>analysis<|message|>{_musing(draft, rng, code=rng.random() < 0.5)}<|end|><|start|>assistant<|channel|>final<|message|>{fenced(draft).text}"
    return replace(draft, text=text + rng.choice(("", "<|return|>")), form="fence")


def reasoning_in_prose(draft: Draft, rng: random.Random) -> Draft | None:
    """Long reasoning without tags, with a first try in it, and the answer at the end."""
    if draft.asked.kind == "tests" or draft.gold.strip("\n") not in draft.text:
        return None
    text = f"{_musing(draft, rng, code=True)}\n\nAfter thinking it over, the final version is:\n\n**Final Solution**\n\n{fenced(draft).text}"
    return replace(draft, text=text, form="fence")


def agent_turns(draft: Draft, rng: random.Random) -> Draft | None:
    """Thought, then the solution in tags, as a prompt for agents asks."""
    if not _clear(draft, "<thought>", "</solution>"):
        return None
    return replace(
        draft,
        text=f"Assistant:\n<thought> I can now propose a solution. </thought>\n<solution>\n{draft.text.rstrip()}\n</solution>\n",
        form="wrapped",
    )


def role_in_front(draft: Draft, rng: random.Random) -> Draft:
    """The name of a role in front."""
    role = rng.choice(
        (
            "Assistant:\n",
            " Assistant:\n\n",
            "ASSISTANT: ",
            "### Response:\n",
            "<|assistant|>\n",
            "<|im_start|>assistant\n",
            "A: ",
            "Answer:\n",
        )
    )
    return replace(
        draft,
        text=role + (fenced(draft).text if role.endswith(" ") else draft.text),
        form="fence" if role.endswith(" ") else "wrapped",
    )


def prompt_echo(draft: Draft, rng: random.Random) -> Draft:
    """A base model writes the template of the prompt again before it answers."""
    task = rng.choice(words.TASK)
    head = rng.choice((
        f"Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n{task}\n\n### Response:\n",
        f" A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.\n\nUSER: {task}\nASSISTANT: Sure!\n\n",
        f"[INST] {task} [/INST]\n",
        f"<|im_start|>user\n{task}<|im_end|>\n<|im_start|>assistant\n",
    ))  # fmt: skip
    text = fenced(draft).text if rng.random() < 0.7 else draft.text
    return replace(draft, text=head + text, form="wrapped" if text == draft.text else "fence")


def extra_turn(draft: Draft, rng: random.Random) -> Draft | None:
    """The model goes on with the next question and answers that as well."""
    if not draft.accepted:
        return None
    other = block("def unrelated(numbers):\n    return sorted(numbers)[::-1]\n")
    task = "Write a function that sorts numbers in falling order."
    more = rng.choice((
        f"<|im_end|>\n<|im_start|>user\n{task}<|im_end|>\n<|im_start|>assistant\n{other}",
        f"\n\n### Instruction:\n{task}\n\n### Response:\n{other}",
        f"\n\nUSER: {task}\nASSISTANT: Here you go:\n{other}",
        f"</s>[INST] {task} [/INST] {other}",
        f"\n\nHuman: {task}\n\nAssistant: {other}",
        f"<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{task}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{other}",
    ))  # fmt: skip
    found = fenced(draft)
    return replace(found, text=found.text + more)


def stop_token(draft: Draft, rng: random.Random) -> Draft:
    """The token that ends a turn is in the text."""
    token = rng.choice((
        "<|im_end|>", "<|endoftext|>", "</s>", "<end_of_turn>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<|eot_id|>",
        "<|end|>", "<eos>", "<|/ file |>", "EOT: true</s>", "<|end_of_turn|>", "[/INST]", "<|return|>", "<|EOT|>",
    ))  # fmt: skip
    return replace(draft, text=draft.text.rstrip("\n") + rng.choice(("", "\n")) + token)


def start_token(draft: Draft, rng: random.Random) -> Draft:
    """The token that begins a text is in the text."""
    token = rng.choice(
        (
            "<s>",
            "<s> ",
            "<|begin_of_text|>",
            "<bos>",
            "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
            "<|endoftext|>",
        )
    )
    return replace(draft, text=token + draft.text)


_OUTER = (
    think, empty_think, think_without_opener, harmony_channels, reasoning_in_prose, agent_turns, role_in_front,
    prompt_echo, extra_turn, stop_token, start_token,
)  # fmt: skip
DIRT: tuple[Dirt, ...] = tuple(lossless(make.__name__, Stage.TURN, make) for make in _OUTER)
