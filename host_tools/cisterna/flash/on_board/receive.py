"""Functions that change a board's files. `cisterna deploy` runs this in a board's raw REPL, after report.py."""

import sys
from binascii import a2b_base64


def receive():
    """Write files received as lines: path, length, then the bytes in base64; a path of `.` ends the list.

    Prints the digest of each file as it reads back.
    """
    line = sys.stdin.readline
    if not list_folder("/deployed"):
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
    """Remove a file or a folder with its contents; the path need not exist."""
    for name in list_folder(path):
        remove(path + "/" + name)
    for delete in (os.remove, os.rmdir):
        try:
            delete(path)
        except OSError:
            pass
