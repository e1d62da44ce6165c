"""Runs first: mounts the file system, whose files take precedence over the frozen ones.

Never formats. If the file system cannot be mounted, start.py says so, once there is a console.
"""

import rp2
import vfs
from boards import wiring

try:
    vfs.mount(vfs.VfsLfs2(rp2.Flash(start=wiring.FILES_START, len=wiring.FILES_LENGTH), progsize=256), "/")
except OSError:
    pass  # start.py checks whether a file system is mounted
