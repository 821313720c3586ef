"""Which addresses lie in a network of one's own, and who may name them (PROTOCOL.md section 26.3).

    near_range("192.168.1.7") == "192.168.1.0/24"
    near_range("192.0.2.7") is None

What a stranger tells is dialled from inside the walls of a home: a record that names the neighbour's router would have
every node of a village knock at it.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from protocol.exchange.rates import range_of

_NEAR = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/3",
            "::/127",
            "64:ff9b:1::/48",
            "fc00::/7",
            "fe80::/10",
            "fec0::/10",
            "ff00::/8",
        ),
    )
)
_TRANSLATED = ip_network("64:ff9b::/96")  # an IPv4 address follows


def near_range(host: str) -> str | None:
    """Return the range (section 30.2) of an address in a network of one's own, None for any other and for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    address = _embedded(address)
    is_near = any(address in network for network in _NEAR)
    return range_of(str(address)) if is_near else None


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address
