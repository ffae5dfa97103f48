"""Which hosts data may make ig4 talk to: public ones alone, unless the user says otherwise.

What is checked is the address of each connection when it is made, after names are resolved: a name
that means another address a moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from ig4.core.files.remote.errors import RemoteFileError

_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")  # IPv4 addresses behind NAT64
_OTHERS = tuple(
    ipaddress.ip_network(one)
    for one in (
        "192.0.0.0/24",  # where some clouds have their services
        "168.63.129.16/32",  # and Azure the one of each machine
        "192.88.99.0/24",  # relays of 6to4
        "3fff::/20",  # documentation
    )
)
"""What is not public, though ipaddress may say so."""


class PrivateAddressError(RemoteFileError):
    """An address leads to a host that is not public."""


def is_public(host: str) -> bool:
    """Tell whether an IP address is one of the public internet.

    Not public are loopback, private and link-local networks (so the services that tell machines in
    a cloud their credentials), those of carriers, multicast, reserved ones, and IPv6 addresses that
    stand for such.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    if getattr(address, "is_site_local", False) or any(address in one for one in _OTHERS):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 one stands for, or leads through."""
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def public_socket(info: Any) -> socket.socket:
    """Return the socket for a connection, as aiohttp asks for it.

    Raises:
        PrivateAddressError: it would lead to a host that is not public.
    """
    family, kind, protocol, _, target = info
    if not is_public(str(target[0])):
        raise PrivateAddressError(
            f"its host has the address {target[0]}, which is not public: allow that with "
            "--fetch-images any"
        )
    return socket.socket(family, kind, protocol)
