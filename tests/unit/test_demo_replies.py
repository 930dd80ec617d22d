"""The recorded replies: whole, readable, and between them every way in which a reply can go wrong."""

import ast
import re

import pytest

from prompts.errors import RecordingError
from prompts.recordings import LAST_CALL, Reply, demo_root, load_recordings, recordings_sha256
from prompts.render import template_names
from prompts.tasks import batch_root, load
from repair.cleaning.clean import clean_reply
from repair.llm import Arm
from repair.script import CleanOutcome

MODELS = ("demo-large", "demo-small")
TASKS = load(batch_root())
RECORDED = load_recordings(demo_root())


def calls(model, task_id, template):
    """The replies of one sample, in order, up to the one that is repeated for ever."""
    replies = []
    for number in range(LAST_CALL + 1):
        reply = RECORDED[model][f"{task_id}/{template}/0/repair/{number}"]
        if replies and reply == replies[-1] and number == LAST_CALL:
            break
        replies.append(reply)
    while len(replies) > 1 and replies[-1] == replies[-2]:
        replies.pop()
    return replies


def everything():
    return {reply for replies in RECORDED.values() for reply in replies.values()}


def texts():
    return [reply.content or "" for reply in everything()]


class TestShipped:
    def test_two_models(self):
        """A strong and a weak demo model ship."""
        assert tuple(sorted(RECORDED)) == MODELS

    @pytest.mark.parametrize("model", MODELS)
    @pytest.mark.parametrize("template", template_names())
    @pytest.mark.parametrize("task", TASKS, ids=lambda t: t.task_id)
    def test_every_call_has_a_reply(self, model, template, task):
        """However long a trajectory gets, of either arm, no call is without a reply."""
        for arm in Arm:
            for number in range(LAST_CALL + 1):
                assert f"{task.task_id}/{template}/0/{arm}/{number}" in RECORDED[model]

    @pytest.mark.parametrize("model", MODELS)
    @pytest.mark.parametrize("template", template_names())
    @pytest.mark.parametrize("task", TASKS, ids=lambda t: t.task_id)
    def test_the_first_draw_of_both_arms_is_the_same(self, model, template, task):
        """At temperature 0 the same prompt gets the same reply."""
        first, again = (RECORDED[model][f"{task.task_id}/{template}/0/{arm}/0"] for arm in Arm)

        assert first == again

    def test_nothing_else_is_recorded(self):
        """Every recorded call belongs to a task and a template that ship."""
        known = {f"{task.task_id}/{template}" for task in TASKS for template in template_names()}

        assert {"/".join(call.split("/")[:3]) for replies in RECORDED.values() for call in replies} == known

    def test_every_reply_counts_its_tokens(self):
        """Cost can be reported for all of them."""
        assert all(reply.prompt_tokens and reply.completion_tokens for reply in everything())

    def test_hash_follows_the_replies(self):
        """A changed reply is another recording."""
        changed = {model: dict(replies) for model, replies in RECORDED.items()}
        first = next(iter(changed["demo-small"]))
        changed["demo-small"][first] = Reply(content="else")

        assert recordings_sha256(RECORDED) == recordings_sha256(load_recordings(demo_root()))
        assert recordings_sha256(changed) != recordings_sha256(RECORDED)


class TestKinds:
    @pytest.mark.parametrize(
        "pattern",
        [
            r"\A(?!```)\S[\s\S]*```\s+\S",
            r"\A```python\n[\s\S]*```\n\Z",
            r"```bash\n",
            r"~~~python\n",
            r"\A<think>[\s\S]*</think>",
            r"\A(?!<think>)[\s\S]*</think>",
            r"\A<think>(?![\s\S]*</think>)",
            r"\x1b\[2J",
            r"<script>",
            r"“[^”]*”\)",
            r"\r\n",
            r"os\._exit\(0\)",
            r"sys\.exit\(0\)\n\n\nclass",
            r"pytest\.skip\(",
            r"threading\.Lock\(\)",
            r"\beval\(",
            r"I'm sorry, but I can't",
        ],
    )
    def test_dirt_occurs(self, pattern):
        """Prose, fences of all kinds, reasoning, markup, typographic quotes, and attempts to cheat."""
        assert any(re.search(pattern, text) for text in texts())

    def test_several_blocks(self):
        """A draft stands before the final answer."""
        assert any(text.count("```python") > 1 for text in texts())

    def test_unclosed_fence_in_a_whole_reply(self):
        """A reply that is complete may still lack its closing fence."""
        assert any(r.finish_reason == "stop" and (r.content or "").count("```") == 1 for r in everything())

    def test_reasoning_kept_apart(self):
        """Some replies have a reasoning field."""
        assert any(reply.reasoning for reply in everything())

    def test_empty_reply(self):
        """A model says nothing at all."""
        assert any(not (reply.content or "").strip() for reply in everything())

    @pytest.mark.parametrize("model", MODELS)
    def test_truncation(self, model):
        """A reply is cut off, and one that is not follows it."""
        cut = [
            number
            for task in TASKS
            for template in template_names()
            for number, reply in enumerate(calls(model, task.task_id, template))
            if reply.finish_reason == "length"
        ]

        assert cut
        assert all(
            calls(model, task.task_id, template)[-1].finish_reason == "stop"
            for task in TASKS
            for template in template_names()
        )

    def test_a_model_repeats_itself(self):
        """The same script comes again, in the same or in other words."""
        replies = calls("demo-small", "data/table", "default")
        codes = [clean_reply(reply.content).code for reply in replies]

        assert len(replies) == 3
        assert len({ast.dump(ast.parse(code)) for code in codes}) == 1

    def test_outcomes_of_cleaning(self):
        """Between them, the replies are cleaned, found to hold no code, and refused by the compiler."""
        outcomes = {clean_reply(text, trees=False).outcome for text in texts()}

        assert {CleanOutcome.CLEANED, CleanOutcome.NO_CODE, CleanOutcome.UNPARSABLE} <= outcomes


class TestFormat:
    def read(self, folder, text, name="b/t.yaml"):
        path = folder / "m" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        return load_recordings(folder)

    def test_calls_share_a_reply(self, tmp_path):
        """One entry answers several calls; `2+` stands for all calls from 2 on."""
        text = "- calls: [default/0/repair/0, plan/1/control/2+]\n  content: hello\n  finish_reason: length\n"

        found = self.read(tmp_path, text)["m"]

        assert found["b/t/default/0/repair/0"] == Reply(content="hello", finish_reason="length")
        assert f"b/t/plan/1/control/{LAST_CALL}" in found
        assert "b/t/plan/1/control/1" not in found

    def test_content_may_be_null(self, tmp_path):
        """A reply without content is not an empty one."""
        text = "- calls: [d/0/repair/0]\n  content: null\n  reasoning: hm\n"

        assert self.read(tmp_path, text)["m"]["b/t/d/0/repair/0"] == Reply(content=None, reasoning="hm")

    @pytest.mark.parametrize(
        ("text", "place", "words"),
        [
            ("calls: []\n", "t.yaml:1", "must be a list"),
            ("", "t.yaml:1", "must be a list"),
            ("- a\n", "t.yaml:1", "must be a list"),
            ("- calls: [d/0/repair/0]\n  content: 'x\n", "t.yaml:3", "bad YAML"),
            ("- calls: [d/0/repair/0]\n  content: a\n  content: b\n", "t.yaml:3", "given twice"),
            ("- content: a\n", "t.yaml:1: entry 1", "`calls` is missing"),
            ("- calls: [d/0/repair/0]\n", "t.yaml:1: entry 1", "`content` is missing"),
            ("- calls: [d/0/repair/0]\n  content: a\n  contents: b\n", "entry 1", "unknown key `contents`"),
            ("- calls: d/0/repair/0\n  content: a\n", "entry 1", "must be a list such as"),
            ("- calls: [d/0/repair]\n  content: a\n", "entry 1", "bad call `d/0/repair`"),
            ("- calls: [d/0/fix/0]\n  content: a\n", "entry 1", "bad call"),
            ("- calls: [d/0/repair/0]\n  content: 7\n", "entry 1", "must be texts"),
            ("- calls: [d/0/repair/0]\n  content: a\n  finish_reason: done\n", "entry 1", "stop, length"),
            ("- calls: [d/0/repair/0]\n  content: a\n  prompt_tokens: -1\n", "entry 1", "whole numbers"),
            ("- calls: [d/0/repair/0]\n  content: a\n  prompt_tokens: true\n", "entry 1", "whole numbers"),
            (
                "- calls: [d/0/repair/1+]\n  content: a\n- calls: [d/0/repair/3]\n  content: b\n",
                "t.yaml:3: entry 2",
                "has a reply already",
            ),
        ],
    )
    def test_fault_with_place(self, tmp_path, text, place, words):
        """Each fault is named with file, line and entry."""
        with pytest.raises(RecordingError) as caught:
            self.read(tmp_path, text)

        assert place in str(caught.value)
        assert words in str(caught.value)

    def test_nothing_recorded(self, tmp_path):
        """An empty folder is an error, not a demo without models."""
        with pytest.raises(RecordingError, match="no recorded replies"):
            load_recordings(tmp_path)

    def test_not_utf8(self, tmp_path):
        """Bytes that are no text are named with their file."""
        (tmp_path / "m" / "b").mkdir(parents=True)
        (tmp_path / "m" / "b" / "t.yaml").write_bytes(b"- \xff\n")

        with pytest.raises(RecordingError, match=r"t\.yaml"):
            load_recordings(tmp_path)
