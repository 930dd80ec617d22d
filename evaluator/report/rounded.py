"""Numbers of a summary, cut to what is the same on every machine."""

from typing import Any, Final

_DIGITS: Final = 6


def rounded(value: Any) -> Any:
    """Round every number in a value of JSON's kinds.

    The last digits of a mean differ between processors; six are more than any reader needs.
    """
    match value:
        case float():
            return round(value, _DIGITS)
        case dict():
            return {str(key): rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [rounded(item) for item in value]
        case _:
            return value
