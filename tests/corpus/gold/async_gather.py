import asyncio
from collections.abc import Awaitable, Callable


async def bounded_gather(limit: int, jobs: list[Callable[[], Awaitable[int]]]) -> list[int]:
    """Run all jobs, at most `limit` of them at a time, and keep their order."""
    gate = asyncio.Semaphore(limit)

    async def run(job):
        async with gate:
            return await job()

    return await asyncio.gather(*(run(job) for job in jobs))


async def numbers(upto):
    for n in range(upto):
        yield n
        await asyncio.sleep(0)
