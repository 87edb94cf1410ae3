#!/usr/bin/env python3
"""restore.py FOLDER/NAME OUT [KEYFILE]: restores a backup into a new file, a set into a new folder, by docs/format.md
and the standard library alone (zstd by its program). Shares nothing with the library; damage is refused."""
import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zlib

from rfc import open_box, x25519


class Damaged(Exception):
    """The backup is not what its manifest says, or the key is not there."""


def need(good, why):
    if not good:
        raise Damaged(why)


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

def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def decompress(data, how):
    if how == "gzip":
        return gzip.decompress(data)
    if how == "zstd":
        return subprocess.run(["zstd", "-d", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout
    need(how == "none", f"compression {how} is not known")
    return data


def apply(changes, parent):
    """The image that the changes make of their parent's."""
    need(changes[:8] == b"BKDELTA1" and sha256(parent) == changes[32:64].hex(), "the changes are to another image")
    page, _, pages = struct.unpack("<2LQ", changes[8:24])
    image, at = bytearray(parent[:pages * page].ljust(pages * page, b"\0")), 64
    while True:
        need(len(changes) >= at + 48, "the changes end too early")
        first, count, _ = struct.unpack("<Q2L", changes[at:at + 16])
        if first == 0:
            need(changes[at + 16:].hex() == sha256(image), "the changes lead to another image")
            return bytes(image)
        image[(first - 1) * page:(first - 1 + count) * page] = changes[at + 16:at + 16 + count * page]
        at += 16 + count * page


def parent_of(manifest, folder):
    """The manifest of the backup that a delta changes."""
    for name in os.listdir(folder):
        if name.startswith(manifest["parent"] + ".") and name.endswith(".json"):
            found = json.loads(read(os.path.join(folder, name)))
            if found["sha256"] == manifest["parent_sha256"] and os.path.exists(os.path.join(folder, name[:-5])):
                return found
    raise Damaged(f"it is made of changes to {manifest['parent']}, which is not there")


def content_of(manifest, folder, key_file, data=None):
    """What is in an archive, proven: data, or the file of its name in the folder."""
    data = read(os.path.join(folder, manifest["name"])) if data is None else data
    need(len(data) == manifest["bytes"], "it has another size than its manifest says")
    need(sha256(data) == manifest["archive_sha256"], "its SHA-256 is not that of its manifest")
    if manifest["name"].endswith(".enc"):
        data = decrypt(data, key_file, manifest["key_id"])
    content = decompress(data, manifest["compression"])
    if "parent" in manifest:
        content = apply(content, content_of(parent_of(manifest, folder), folder, key_file))
    need(len(content) == manifest["database_bytes"], "the content has another size than the manifest says")
    need(sha256(content) == manifest["sha256"], "the content's SHA-256 is not the manifest's")
    return content


def members(tar, stem):
    """The files of a set's tar, by name."""
    with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as files:
        return {file.name.removeprefix(stem + "/"): files.extractfile(file).read() for file in files if file.isfile()}


def restore(path, key_file):
    """Contents by name: "" for a single backup, STORE for each of a set."""
    folder, name = os.path.split(os.path.abspath(path))
    is_set = os.path.isdir(path)
    manifest = json.loads(read(os.path.join(path, "manifest.json") if is_set else path + ".json"))
    need(manifest["format"] == 1 and manifest["name"] == name, "the manifest is another's")
    if is_set:
        files = {part["name"]: read(os.path.join(path, part["name"])) for part in manifest["stores"] if "name" in part}
    elif ".tar" in name:
        files = members(content_of(manifest, folder, key_file), name.split(".")[0])
    else:
        return {"": content_of(manifest, folder, key_file)}
    for part in manifest["stores"]:
        if "name" not in part:
            print(f"{part['store']} was not saved: {part['error']}", file=sys.stderr)
    return {part["store"]: content_of(part, folder, key_file, files[part["name"]])
            for part in manifest["stores"] if "name" in part}


def main(path, out, key_file=None):
    try:
        found = restore(path.rstrip("/"), key_file)
    except (Damaged, OSError, ValueError, KeyError, EOFError, struct.error, zlib.error, tarfile.TarError,
            subprocess.CalledProcessError) as error:
        sys.exit(f"{path}: {error}")
    if "" not in found:
        os.mkdir(out)
    for store, content in found.items():
        with open(os.path.join(out, store) if store else out, "xb") as file:
            file.write(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
