#!/usr/bin/env python3
"""restore.py FOLDER/NAME OUT [KEYFILE]: restores a backup into a new file, by docs/format.md and the
standard library alone (zstd by its program). Shares nothing with the library; damage is refused."""
import array
import gzip
import hashlib
import json
import os
import struct
import subprocess
import sys
import zlib


class Damaged(Exception):
    """The backup is not what its manifest says, or the key is not there."""


def need(good, why):
    if not good:
        raise Damaged(why)


# ---- RFC 8439 and 7748 ---------------------------------------------------------------------------

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


# ---- encryption ----------------------------------------------------------------------------------

def blake2b(data, size=16, **more):
    return hashlib.blake2b(data, digest_size=size, **more).digest()


def secret_of(key_file, key_id):
    """The mode and secret of that id in the key file."""
    need(key_file, f"it is encrypted with key {key_id.hex()}, and no key file was given")
    with open(key_file, encoding="ascii") as file:
        keys = [line.split() for line in file if line.strip() and not line.startswith("#")]
    for kind, secret, name in keys:
        secret, mode = bytes.fromhex(secret), ["shared", "recipient"].index(kind) + 1
        named = secret if mode == 1 else x25519(secret, bytes([9] + [0] * 31))
        need(blake2b(named, person=b"botkeep-key-name")[:8].hex() == name, "the key file is damaged")
        if bytes.fromhex(name) == key_id:
            return mode, secret
    raise Damaged(f"it is encrypted with key {key_id.hex()}, which the key file does not hold")


def decrypt(data, key_file, key_id):
    header, at, number, plain = data[:56], 56, 0, []
    need(header[:7] == b"BKSEAL\1" and blake2b(header[:48])[:8] == header[48:], "the header is damaged")
    need(header[8:16].hex() == key_id, "the header names another key than the manifest")
    mode, secret = secret_of(key_file, header[8:16])
    need(mode == header[7], "the key is of another kind")
    if mode == 1:
        key = blake2b(header[16:48], 32, key=secret, person=b"botkeep-file-key")
    else:
        public = x25519(secret, bytes([9] + [0] * 31))
        key = blake2b(x25519(secret, header[16:48]) + header[16:48] + public, 64)[32:]
    while True:
        need(at + 20 <= len(data), f"it ends at byte {at}, before its last frame")
        size = int.from_bytes(data[at:at + 4], "little")
        opened = None
        if 16 <= size <= min(1064976, len(data) - at - 4):
            frame, bound = data[at + 4:at + 4 + size], header + bytes([size == 16])
            opened = open_box(key, number.to_bytes(12, "little"), frame, bound)
        need(opened is not None, f"the frame at byte {at} is not what was sealed there")
        at, number = at + 4 + size, number + 1
        if not opened:
            need(at == len(data), f"something follows the last frame, at byte {at}")
            return b"".join(plain)
        plain.append(opened)


# ---- archives ------------------------------------------------------------------------------------

def decompress(data, how):
    if how == "gzip":
        return gzip.decompress(data)
    if how == "zstd":
        return subprocess.run(["zstd", "-d", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout
    need(how == "none", f"compression {how} is not known")
    return data


def restore(path, key_file):
    with open(path + ".json", encoding="utf-8") as file:
        manifest = json.load(file)
    with open(path, "rb") as file:
        data = file.read()
    need(manifest["format"] == 1 and manifest["name"] == os.path.basename(path), "the manifest is another's")
    need(len(data) == manifest["bytes"], "it has another size than its manifest says")
    need(hashlib.sha256(data).hexdigest() == manifest["archive_sha256"], "its SHA-256 is not that of its manifest")
    if manifest.get("encryption", "none") != "none":
        data = decrypt(data, key_file, manifest["key_id"])
    content = decompress(data, manifest["compression"])
    need(len(content) == manifest["database_bytes"], "the content has another size than the manifest says")
    need(hashlib.sha256(content).hexdigest() == manifest["sha256"], "the content's SHA-256 is not the manifest's")
    return content


def main(path, out, key_file=None):
    try:
        content = restore(path, key_file)
    except (Damaged, OSError, ValueError, KeyError, EOFError, subprocess.CalledProcessError, zlib.error) as error:
        sys.exit(f"{path}: {error}")
    with open(out, "xb") as file:
        file.write(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
