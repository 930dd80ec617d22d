import functools
import time


def retry(times=3, delay=0.0, errors=(Exception,)):
    def decorate(func):
        @functools.wraps(func)
        def wrapper(*args, **kwargs):
            for attempt in range(1, times + 1):
                try:
                    return func(*args, **kwargs)
                except errors:
                    if attempt == times:
                        raise
                    time.sleep(delay)

        return wrapper

    return decorate
