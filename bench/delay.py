"""A line to a server that is slow: each way there and back takes some milliseconds longer.

Run as a process of its own: ``python delay.py HOST:PORT MILLISECONDS`` prints the port at which it listens. Like a real
line it delays a new connection once (its handshake), and then what is sent, by half the time in each direction.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

CHUNK = 65536


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass bytes on after a while, in order; what comes meanwhile waits beside them, not behind them."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def send() -> None:
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    async def receive() -> None:
        data = b"-"
        while data:
            data = await reader.read(CHUNK)
            queue.put_nowait((loop.time() + seconds, data))

    await asyncio.gather(send(), receive(), return_exceptions=True)


def slow_line(host: str, port: int, seconds: float) -> Callable[..., Awaitable[None]]:
    """Return what serves one connection.

    Args:
        host: The server behind the line.
        port: Its port.
        seconds: How much longer a way there and back takes.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        answers, questions = await asyncio.open_connection(host, port)
        await asyncio.gather(_carry(reader, questions, seconds / 2), _carry(answers, writer, seconds / 2))

    return serve


async def main(target: str, milliseconds: str) -> None:
    """Serve until the process is ended."""
    host, _, port = target.rpartition(":")
    line = slow_line(host, int(port), int(milliseconds) / 1000)
    server = await asyncio.start_server(line, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
