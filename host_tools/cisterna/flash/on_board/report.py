"""Prints a board's image and files as JSON. `cisterna deploy` runs this first in a board's raw REPL."""

import hashlib
import json
import os
import sys
from binascii import hexlify


def digest(path):
    """SHA-256 of a file, hex; None if it cannot be read."""
    total = hashlib.sha256()
    buffer = memoryview(bytearray(1024))
    try:
        with open(path, "rb") as file:
            while length := file.readinto(buffer):
                total.update(buffer[:length])
    except OSError:
        return None
    return hexlify(total.digest()).decode()


def list_folder(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def report():
    found = {"machine": sys.implementation._machine, "mpy": sys.implementation._mpy}
    sys.path[:] = (".frozen",)  # the image's own build_info, not a copy in the file system
    try:
        import build_info

        found["build"] = build_info.BUILD
        found["variant"] = build_info.VARIANT
        found["sources"] = build_info.SOURCES
    except (ImportError, AttributeError):
        pass
    block, _, _, free = os.statvfs("/")[:4]
    if block:  # 0: no file system is mounted
        found["free"] = block * free
        found["root"] = os.listdir("/")
        paths = ["/main.mpy"] + ["/deployed/" + name for name in list_folder("/deployed")]
        found["files"] = {path: digest(path) for path in paths}
    print(json.dumps(found))


report()
