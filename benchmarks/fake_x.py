"""How fast the fake X publishes to one stream, so that what is measured against it is not its own speed.

python -m benchmarks.fake_x [posts] [posts a second; 0: as fast as it can]
"""

from __future__ import annotations

import subprocess
import sys
import time

from agents.fake_x import FakeX

_POSTS = 60_000
_RATE = 3000.0
_BATCH = 20
_CLIENT = """
import sys
from agents.x_api import Access, Stream
count = 0
def line(_):
    global count
    count += 1
Stream(Access("a-bearer-token"), base_url=sys.argv[1]).run(line, lambda: None, lambda: print("open", flush=True))
print(count)
"""


def main(posts: int, rate: float) -> None:
    """Print the figures."""
    with FakeX() as x:
        for number in range(3):
            x.world.add_rule(f"@brand{number} OR from:brand{number} OR (late order lang:en -is:retweet)", f"b{number}")
        command = [sys.executable, "-c", _CLIENT, x.base_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            client.stdout.readline()
            before, began = time.process_time(), time.monotonic()
            _publish(x, posts, rate)
            x.faults.close_clean()  # after what waits
            received = int(client.stdout.read())
            seconds, cpu = time.monotonic() - began, time.process_time() - before
    print(f"{received} of {posts} posts came, {posts / seconds:,.0f} a second")
    print(f"{cpu / posts * 1e6:.0f} µs of a core each: on half a core {posts / cpu / 2:,.0f} posts a second")


def _publish(x: FakeX, posts: int, rate: float) -> None:
    users = [x.world.user(f"user{number}", followers=number) for number in range(1000)]
    began = time.monotonic()
    for number in range(posts):
        text = f"hello @brand0, my order {number} is late again and nobody answers, please help me #late"
        x.world.publish(text, author=users[number % 1000])
        ahead = began + number / rate - time.monotonic() if rate and number % _BATCH == 0 else 0.0
        if ahead > 0:
            time.sleep(ahead)


if __name__ == "__main__":
    given = dict(enumerate(sys.argv))
    main(int(given.get(1, _POSTS)), float(given.get(2, _RATE)))
