"""YAML without surprises: safe types only, and no key twice."""

from typing import Any

import yaml

# libyaml, where PyYAML was built with it, reads the recorded replies ten times as fast.
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictLoader(_BASE):  # type: ignore[misc]
    """A safe loader that refuses a mapping with the same key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a dict, or raise a ConstructorError that points to the second key."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"`{key.value}` is given twice; keep one of them"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(str(key.value))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def line_of(error: yaml.YAMLError) -> int:
    """Row of the text, counted from 0, that an error points to; 0 if it points nowhere."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return mark.line if mark else 0
    return 0


def problem_of(error: BaseException) -> str:
    """What is wrong, in one line, without the place."""
    problem = error.problem if isinstance(error, yaml.MarkedYAMLError) else None
    return problem or str(error).partition("\n")[0] or type(error).__name__
