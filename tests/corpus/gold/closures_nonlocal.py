def make_counter(start=0, *, step=1):
    count = start

    def tick(times=1, /):
        nonlocal count
        count += step * times
        return count

    tick.reset = lambda: make_counter(start, step=step)
    return tick
