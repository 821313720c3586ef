"""Ed25519 verification as section 4.2 of PROTOCOL.md words it, on plain integers: the second implementation.

It knows no list of small-order points: it multiplies by 8 and looks whether the neutral element comes out.
"""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
NEUTRAL = (0, 1, 1, 0)


def add(left, right):
    """Unified addition in extended coordinates (RFC 8032 section 5.1.4)."""
    a = (left[1] - left[0]) * (right[1] - right[0]) % P
    b = (left[1] + left[0]) * (right[1] + right[0]) % P
    c = 2 * left[3] * right[3] * D % P
    d = 2 * left[2] * right[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar, point):
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def compress(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decompress(raw):
    """The point of a canonical encoding, or None."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(raw) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != square or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def has_small_order(point):
    return compress(multiply(8, point)) == compress(NEUTRAL)


BASE = decompress((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_valid(public, message, signature):
    point = decompress(public)
    if point is None or has_small_order(point) or len(signature) != 64:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(sha512(r + public + message).digest(), "little") % L
    negated = (-point[0] % P, point[1], point[2], -point[3] % P)
    return compress(add(multiply(s, BASE), multiply(k, negated))) == r
