"""The lines that drivers speak, for those in Python."""
import asyncio
import sys
import threading

settings = dict(argument.split('=', 1) for argument in sys.argv[1:])
output = threading.Lock()


def say(*fields):
    with output:
        print(*fields, sep='\t', flush=True)


def commands(lines):
    for line in lines:
        yield line.rstrip('\n').split('\t')


async def commands_async():
    """The same without blocking the event loop; ends with the input."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().rstrip('\n').split('\t')
