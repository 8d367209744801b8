"""Takes ports of this machine for one run of the desk.

A look whether a port is free is not enough: granian shares its port with others that allow it,
and two desks that start at once would both look before either listens. So the look is claimed.
"""

import socket
import sys

HERE = "127.0.0.1"
TRIES = 20


class BadPort(Exception):
    """What was asked for is no port."""


class Ports:
    """The ports taken by this process, until it ends."""

    def __init__(self) -> None:
        self.claims: list[socket.socket] = []

    def named(self, text: str) -> int:
        """Take the named port, or the next free one. Raises BadPort if it names none."""
        if not text.isdecimal() or not 1 <= int(text) <= 65_535:
            raise BadPort(f"PORT is {text!r}; it must be a number from 1 to 65535")
        return self.first_free(int(text))

    def first_free(self, start: int) -> int:
        """Take the first free port from here on, else any."""
        for port in range(start, min(start + TRIES, 65_536)):
            if self.take(port):
                return port
        with socket.create_server((HERE, 0)) as probe:
            return int(probe.getsockname()[1])

    def take(self, port: int) -> bool:
        """Claim a port, unless somebody claims or uses it."""
        claim = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":  # a name without a file, gone with the process
                claim.bind(f"\0tapeline-port-{port}")
            socket.create_server((HERE, port)).close()
        except OSError:
            claim.close()
            return False
        self.claims.append(claim)
        return True
