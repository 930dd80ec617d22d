"""Whatever JSON a server sends: pieces of a reply, error bodies, headers. Nothing may break on it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repair.errors import LLMError
from repair.reply import ErrorInside, Malformed, ReplyBuilder, plain
from repair.server_errors import MAX_RETRY_AFTER_S, Peer, ServerSaid, classify, error_text, retry_after

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=5,
)


def fields(*names):
    """Objects that have some of the names that are looked for, with anything as their values."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, ANY_JSON))


PARTS = fields("content", "reasoning", "reasoning_content", "refusal")
CHOICES = st.fixed_dictionaries(
    {}, optional={"index": st.just(0) | ANY_JSON, "delta": PARTS, "message": PARTS, "finish_reason": ANY_JSON}
)
PIECES = ANY_JSON | st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(CHOICES | ANY_JSON, max_size=3) | ANY_JSON,
        "usage": fields("prompt_tokens", "completion_tokens") | ANY_JSON,
        "model": ANY_JSON,
        "error": st.none() | ANY_JSON,
    },
)


@settings(max_examples=80, deadline=None)
@given(st.lists(PIECES, max_size=6))
def test_any_pieces_make_a_reply_or_a_known_error(pieces):
    """A reply is built from any pieces: valid text within the cap, counts that are counts."""
    builder = ReplyBuilder(max_bytes=50)
    for piece in pieces:
        try:
            builder.feed(piece)
        except (Malformed, ErrorInside):
            continue
    reply = builder.build()
    # A lone surrogate takes as many bytes as what replaces it.
    assert len(reply.text.encode()) + len(reply.reasoning.encode()) <= 50
    assert "\0" not in reply.text + reply.reasoning + reply.model + reply.finish_reason
    assert reply.prompt_tokens is None or reply.prompt_tokens >= 0


@settings(max_examples=80, deadline=None)
@given(ANY_JSON | fields("message", "error", "detail", "code", "type"), st.none() | st.integers(300, 599))
def test_any_error_body_has_a_class(body, status):
    """Every status with every body becomes one error of ours, short and printable."""
    error = classify(ServerSaid(status=status, body=body, headers={}), Peer(server="s", model="m"))
    assert isinstance(error, LLMError)
    assert len(str(error)) < 700
    assert "\x1b" not in str(error)
    str(error).encode()
    assert isinstance(error_text(body), str)


@settings(max_examples=80, deadline=None)
@given(ANY_TEXT | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [A-Z+-]+\d*"))
def test_any_retry_after_is_bounded(text):
    """Any header gives a time within bounds, or none."""
    seconds = retry_after({"retry-after": text})
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("a\0b", "ab"),
        ("\ud83d\ude00", "\U0001f600"),
        ("x\ud83d", "x\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ufeff\u2028ok\r\n", "\ufeff\u2028ok\r\n"),
    ],
)
def test_plain(given, becomes):
    """Pairs are joined, lone surrogates replaced, NUL dropped, all else kept."""
    assert plain(given) == becomes


def test_the_cap_holds_for_text_and_reasoning_together():
    """The cap cuts at whole characters, and what comes after it is dropped."""
    builder = ReplyBuilder(max_bytes=8)
    builder.feed({"choices": [{"delta": {"reasoning": "abc"}}]})
    builder.feed({"choices": [{"delta": {"content": "éééé"}}]})
    builder.feed({"choices": [{"delta": {"content": "no"}}]})
    reply = builder.build()
    assert (reply.reasoning, reply.text, reply.capped) == ("abc", "éé", True)


def test_a_reply_that_just_fits_is_not_capped():
    """A reply of exactly the cap is whole."""
    builder = ReplyBuilder(max_bytes=4)
    builder.feed({"choices": [{"delta": {"content": "éé"}, "finish_reason": "stop"}]})
    assert (builder.build().text, builder.build().capped) == ("éé", False)


def test_longer_secrets_are_blotted_out_first():
    """One secret inside another leaves no remainder."""
    peer = Peer(server="s", model="m", secrets=("hunter", "hunter22"))
    assert peer.quote("a hunter22 b hunter c") == "a *** b *** c"
