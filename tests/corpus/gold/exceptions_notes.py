class ConfigError(Exception):
    def __init__(self, key: str, reason: str = "missing") -> None:
        super().__init__(f"{key}: {reason}")
        self.key = key


def require(config: dict, *keys: str):
    missing = [ConfigError(key) for key in keys if key not in config]
    if missing:
        raise ExceptionGroup("bad configuration", missing)
    return tuple(config[key] for key in keys)


def quiet(config, *keys):
    try:
        return require(config, *keys)
    except* ConfigError as group:
        for error in group.exceptions:
            error.add_note("ignored")
    return None
