"""Whether an address of the network is public, in whatever form it hides another one."""

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Source: RFC 6052 §2.1."""

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out to hosts of the Internet. Source: RFC 4291 §2.4."""


def is_public(address: str) -> bool:
    """Say whether a numeric address is one of the Internet; an address inside IPv6 counts as itself. Raises: ValueError."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is None and parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed not in _GLOBAL_UNICAST:
            return False
    return parsed.is_global and not parsed.is_multicast
