import json

DEFAULTS = json.loads("""
{
    "code": "print('hello')",
    "language": "python",
    "limits": {"cpu": 1.5, "retries": [1, 2, 3]},
    "enabled": true
}
""")


def merge(base, extra):
    out = dict(base)
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merge(out[key], value)
        else:
            out[key] = value
    return out
