"""What `cisterna deploy` runs on a board, in its raw REPL, to change what is in its file system. Follows report.py."""

import sys
from binascii import a2b_base64


def receive():
    """Writes files. Each comes as its path, its length, and its bytes in base64, line by line; a path of `.` ends it.

    Prints, for each file, the digest of what then reads back.
    """
    line = sys.stdin.readline
    if not listed("/deployed"):
        remove("/deployed")
        os.mkdir("/deployed")
    while True:
        path = line().strip()
        if path == ".":
            return
        left = int(line())
        with open(path, "wb") as file:
            while left > 0:
                left -= file.write(a2b_base64(line()))
        print(digest(path))


def remove(path):
    """A file, a folder with all that is in it, or nothing."""
    for name in listed(path):
        remove(path + "/" + name)
    for way in (os.remove, os.rmdir):
        try:
            way(path)
        except OSError:
            pass
