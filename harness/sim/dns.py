"""Owns names and addresses: which host a name means, in a table that nothing outside the run can change.

Invariant: a host's address is derived from its name alone, so that it is the same in every run and does not
depend on who asked first. Names that are neither a host's nor an alias do not resolve.

It opens nothing; `streams` asks it. Looking up costs no virtual time.
"""

import socket
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]

_ANY: Final = frozenset({"", "0.0.0.0", "::", "127.0.0.1", "::1", "localhost"})  # noqa: S104 - names of the asking host
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443, "domain": 53}


class HostTable:
    """The synthetic DNS of a run.

    `aliases` maps further names, such as a service's public one, to host names.
    """

    __slots__ = ("_addresses", "_exists", "_names", "aliases")

    def __init__(self, exists: Callable[[str], bool]) -> None:
        self._exists = exists
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self.aliases: dict[str, str] = {}

    def address_of(self, host_name: str) -> str:
        """Return the IPv4 address of a host, in 10.0.0.0/8."""
        known = self._addresses.get(host_name)
        if known is not None:
            return known
        number = int.from_bytes(blake2b(host_name.encode(), digest_size=3).digest(), "big")
        while (address := _dotted(number)) in self._names:
            number += 1
        self._addresses[host_name] = address
        self._names[address] = host_name
        return address

    def host_of(self, name: str, asking: str) -> str:
        """Return the host that a name or an address means to the host `asking`.

        Raises socket.gaierror for a name that means none.
        """
        if name in _ANY or name.endswith(".localhost"):
            return asking
        target = self.aliases.get(name, name)
        if self._exists(target):
            self.address_of(target)
            return target
        if name in self._names:
            return self._names[name]
        raise socket.gaierror(
            socket.EAI_NONAME,
            f"no simulated host is called {name!r}; create it with Simulation.host or add an alias",
        )

    def getaddrinfo(self, host: Any, port: Any, family: int, kind: int, asking: str) -> list[AddressInfo]:
        """Answer as `socket.getaddrinfo` does: one IPv4 stream address.

        Raises socket.gaierror for unknown names, other families and other kinds of socket.
        """
        if family not in (0, socket.AF_INET) or kind not in (0, socket.SOCK_STREAM):
            raise socket.gaierror(socket.EAI_FAMILY, "simulated hosts have IPv4 stream addresses only")
        name = host.decode("ascii") if isinstance(host, bytes) else str(host or "")
        address = self.address_of(self.host_of(name, asking))
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port_number(port)))]

    def getnameinfo(self, address: tuple[str, int], asking: str) -> tuple[str, str]:
        """Answer as `socket.getnameinfo` does, with the host's name."""
        return self.host_of(str(address[0]), asking), str(address[1])


def port_number(port: Any) -> int:
    """Return the number of a port given as a number, a numeric text or one of the common service names."""
    if port is None:
        return 0
    text = port.decode("ascii") if isinstance(port, bytes) else str(port)
    if text in _PORTS:
        return _PORTS[text]
    try:
        return int(text)
    except ValueError:
        raise socket.gaierror(
            socket.EAI_SERVICE, f"service {text!r} is not known; give the port as a number"
        ) from None


def _dotted(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
