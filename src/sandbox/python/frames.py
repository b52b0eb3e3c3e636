"""Messages between processes, and what is wrong when one does not come or cannot be read."""
import json
import os
import struct

MAX_FRAME_BYTES = 1 << 28


class Disconnected(BaseException):
    """The other side is gone. A BaseException, so that tests which catch Exception do not swallow it."""


class Forged(BaseException):
    """The other side answered with something that no honest peer sends."""


def write_all(fd, data):
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def read_exactly(fd, count):
    chunks = []
    while count:
        chunk = os.read(fd, min(count, 1 << 20))
        if not chunk:
            raise Disconnected()
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)


def send_frame(fd, message):
    """4 bytes of big-endian length and that many bytes of JSON."""
    data = json.dumps(message).encode()
    write_all(fd, struct.pack(">I", len(data)) + data)


def receive_frame(fd):
    (length,) = struct.unpack(">I", read_exactly(fd, 4))
    if length > MAX_FRAME_BYTES:
        raise Forged("a message of %d bytes" % length)
    return json.loads(read_exactly(fd, length))


class PipeTransport:
    """Frames over a pair of pipes. Whatever is wrong with the pipes or a frame is the other side's doing."""

    def __init__(self, read_fd, write_fd):
        self.read_fd, self.write_fd = read_fd, write_fd

    def send(self, message):
        try:
            send_frame(self.write_fd, message)
        except OSError:
            raise Disconnected() from None

    def receive(self):
        try:
            return receive_frame(self.read_fd)
        except OSError:
            raise Disconnected() from None
        except ValueError as error:
            raise Forged("a message that is not JSON: %s" % error) from None
