import math


def is_prime(n):
    """Whether n is a prime."""
    if n < 2:
        return False
    for d in range(2, math.isqrt(n) + 1):
        if n % d == 0:
            return False
    return True


def prime_gaps(limit):
    """Gaps between neighbouring primes below limit."""
    primes = [n for n in range(limit) if is_prime(n)]
    return [b - a for a, b in zip(primes, primes[1:])]
