"""Addresses of model servers as people write them."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from evaluator.errors import UsageProblem
from evaluator.safe_text import one_line
from repair.server_errors import display_url

__all__ = ["BadAddress", "ModelSpec", "display_url", "normalise_base_url", "parse_model_spec"]

_ENDPOINTS = re.compile(r"/(chat/completions|completions|responses|models|embeddings)/?$")
_HOST_PORT = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-f:]+\]):\d+(/\S*)?", re.IGNORECASE)


class BadAddress(UsageProblem):
    """What was given is no address of a model server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model as named on the command line. Without `base_url` the server is still to be found."""

    name: str
    base_url: str | None = None


def parse_model_spec(text: str) -> ModelSpec:
    """Read NAME or NAME@BASE_URL; a name may hold `@`, `/` and `:`.

    What follows the first `@http://` or `@https://` is the address, or what follows the last `@` if it
    has the form `host.name:port`.

    Raises:
        BadAddress: there is no name, or the address makes no sense.
    """
    name, found, url = _split_spec(text.strip())
    if not name:
        raise BadAddress(
            f"{one_line(_hidden(text))!r} names no model: write NAME or NAME@http://HOST:PORT/v1"
        )
    return ModelSpec(name=name, base_url=normalise_base_url(url) if found else None)


def _split_spec(text: str) -> tuple[str, str, str]:
    marked = re.search(r"@(?=https?://)", text, re.IGNORECASE)
    if marked:
        return text[: marked.start()], "@", text[marked.end() :]
    name, found, rest = text.rpartition("@")
    return (name, found, rest) if _HOST_PORT.fullmatch(rest) else (text, "", "")


def normalise_base_url(text: str) -> str:
    """Complete an address to the form that clients need, such as `http://127.0.0.1:1234/v1`.

    Adds `http://` (`https://` for a public host without a port) and, where there is no path, `/v1`;
    drops the name of an endpoint. User name and password are kept: see `display_url`.

    Raises:
        BadAddress: says what is wrong, without quoting a password.
    """
    text = text.strip()
    shown = one_line(_hidden(text))
    if not text or re.search(r"[\s\x00-\x20\x7f]", text):
        raise BadAddress(f"{shown!r} is no address: write http://HOST:PORT/v1")
    parts = _split_url(text if "://" in text else f"{_scheme(text)}://{text}", shown)
    path = _ENDPOINTS.sub("", parts.path).rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path or "/v1", "", ""))


def _split_url(url: str, shown: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as exc:
        raise BadAddress(f"{shown!r} is no address: {_hidden(str(exc))}") from None
    if parts.scheme not in {"http", "https"}:
        raise BadAddress(f"{shown!r}: only http:// and https:// addresses can be used")
    if not host:
        raise BadAddress(f"{shown!r} names no host: write http://HOST:PORT/v1")
    if parts.query or parts.fragment:
        raise BadAddress(f"{shown!r}: a base URL has no ? and no #")
    return parts


def _scheme(text: str) -> str:
    """What to assume: nobody should send a key in clear to a public host."""
    netloc = text.split("/", 1)[0].rpartition("@")[2]
    if "." not in netloc or re.search(r":\d+$", netloc):
        return "http"
    try:
        ipaddress.ip_address(netloc)
    except ValueError:
        return "https"
    return "http"


def _hidden(text: str) -> str:
    return re.sub(r"[^/@]*:[^/@]*@", "***@", text)
