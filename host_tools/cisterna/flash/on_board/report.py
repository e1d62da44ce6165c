"""What `cisterna deploy` first runs on a board, in its raw REPL: prints what the board is and what it has, as JSON."""

import hashlib
import json
import os
import sys
from binascii import hexlify


def digest(path):
    """SHA-256 of what reads back; None of what is no file."""
    total = hashlib.sha256()
    buffer = memoryview(bytearray(1024))
    try:
        with open(path, "rb") as file:
            while length := file.readinto(buffer):
                total.update(buffer[:length])
    except OSError:
        return None
    return hexlify(total.digest()).decode()


def listed(path):
    try:
        return os.listdir(path)
    except OSError:
        return []


def report():
    about = {"machine": sys.implementation._machine, "mpy": sys.implementation._mpy}
    sys.path[:] = (".frozen",)  # the image's own build_info, not one that lies about
    try:
        import build_info

        about["build"] = build_info.BUILD
        about["variant"] = build_info.VARIANT
        about["sources"] = build_info.SOURCES
    except (ImportError, AttributeError):
        pass
    block, _, _, free = os.statvfs("/")[:4]
    if block:  # else nothing is mounted
        about["free"] = block * free
        about["root"] = os.listdir("/")
        paths = ["/main.mpy"] + ["/deployed/" + name for name in listed("/deployed")]
        about["files"] = {path: digest(path) for path in paths}
    print(json.dumps(about))


report()
