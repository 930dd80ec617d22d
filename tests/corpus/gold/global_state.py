_registry = {}
counter = 0


def register(name):
    global counter
    counter += 1

    def decorator(func):
        _registry[name] = func
        return func

    return decorator


@register("double")
def double(x):
    return 2 * x


@register("half")
def half(x):
    return x / 2


assert set(_registry) == {"double", "half"}
