"""rfc.py: the cryptography that Python's standard library lacks: ChaCha20-Poly1305 of RFC 8439, X25519 of RFC 7748.
Slow and plain, not safe against who can measure its time. restore.py opens encrypted backups with it."""
import array
import struct


def chacha20(key, counter, nonce, size):
    """That many bytes of the stream: all blocks at once, each in a lane of 64 bits of large numbers."""
    count = size // 64 + 1
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    mask = ones * 0xffffffff
    lanes = int.from_bytes(struct.pack(f"<{count}Q", *range(counter, counter + count)), "little")
    start = [ones * word for word in struct.unpack("<12L", b"expand 32-byte k" + key)] + [lanes]
    start += [ones * word for word in struct.unpack("<3L", nonce)]
    x = list(start)
    for turn in range(20):
        for i in range(4):
            a, b, c, d = (i, *(4 * j + (i + j * (turn % 2)) % 4 for j in (1, 2, 3)))
            for to, plus, rotated, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[to] = (x[to] + x[plus]) & mask
                x[rotated] ^= x[to]
                x[rotated] = (x[rotated] << bits | x[rotated] >> 32 - bits) & mask
    words = [array.array("Q", ((a + b) & mask).to_bytes(8 * count, "little")) for a, b in zip(x, start)]
    return b"".join(struct.pack("<16L", *block) for block in zip(*words))[:size]


def poly1305(key, text):
    r, s = int.from_bytes(key[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff, int.from_bytes(key[16:], "little")
    total = 0
    for at in range(0, len(text), 16):
        total = (total + int.from_bytes(text[at:at + 16] + b"\1", "little")) * r % (2 ** 130 - 5)
    return ((total + s) % 2 ** 128).to_bytes(16, "little")


def open_box(key, nonce, sealed, bound):
    """ChaCha20-Poly1305: the plain bytes, or None."""
    text, tag = sealed[:-16], sealed[-16:]
    pad = [b"\0" * (-len(part) % 16) for part in (bound, text)]
    told = bound + pad[0] + text + pad[1] + struct.pack("<2Q", len(bound), len(text))
    if poly1305(chacha20(key, 0, nonce, 32), told) != tag:
        return None
    stream = chacha20(key, 1, nonce, len(text))
    return (int.from_bytes(text, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(text), "little")


def x25519(secret, point):
    p = 2 ** 255 - 19
    k = int.from_bytes(secret, "little") & ~7 & ~(1 << 255) | 1 << 254
    u = int.from_bytes(point, "little") % 2 ** 255
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in reversed(range(255)):
        if k >> bit & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3, z3 = (da + cb) ** 2 % p, u * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, (aa - bb) * (aa + 121665 * (aa - bb)) % p
        if k >> bit & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")
