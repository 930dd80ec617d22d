import itertools as it


def chunks(items, size):
    """Split an iterable into tuples of at most `size`."""
    iterator = iter(items)
    while chunk := tuple(it.islice(iterator, size)):
        yield chunk


def flatten(nested):
    for item in nested:
        if isinstance(item, (list, tuple)):
            yield from flatten(item)
        else:
            yield item
