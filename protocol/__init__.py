"""What two independent implementations must agree on, and the pure machines that decide what to do next.

Bytes, times and randomness come in as arguments; effects go out as values. Nothing in here opens a file
or a socket, reads a clock or draws a random number. PROTOCOL.md is the normative text; modules name the
section that they implement. An auditor needs this package, cryptography, msgpack and msgspec, nothing else.
"""
