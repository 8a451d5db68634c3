"""The same as a loop of asyncio: two sessions at once, each in windows, with the events between them.

python examples/windows_async.py localhost:9092
"""

from __future__ import annotations

import asyncio
import sys

from write_session import write_laps

import telewire


async def laps(client: telewire.aio.Client, key: str) -> tuple[int, int]:
    """Samples and laps of a session."""
    samples = laps = 0
    async with client.read(key).windows(length="1s", slide=0.1, others=["marker"], events=True) as windows:
        async for item in windows:
            if isinstance(item, telewire.Window):
                samples += len(item)
                # A lap is a marker on every stream; the main stream's counts.
                laps += sum(other.stream == "" for other in item.others)
            elif item.kind == "session_completed":
                print(f"{item.data_source} is complete")
    return samples, laps


async def read(broker: str, keys: list[str]) -> None:
    async with telewire.aio.connect(broker) as client:
        for key, (samples, found) in zip(keys, await asyncio.gather(*(laps(client, key) for key in keys)), strict=True):
            print(f"{(await client.session(key)).data_source}: {samples} samples in {found} laps")


def main() -> None:
    broker = sys.argv[1] if len(sys.argv) > 1 else "embedded://"
    with telewire.connect(broker) as client:
        keys = [write_laps(client, source) for source in ("CarA", "CarB")]
    asyncio.run(read(broker, keys))


if __name__ == "__main__":
    main()
