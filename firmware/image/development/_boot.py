"""Runs before everything else: mounts the file system, whose files then come before the frozen ones.

It never formats. A board whose files cannot be read says so in start.py, once there is a console.
"""

import rp2
import vfs
from boards import wiring

try:
    vfs.mount(vfs.VfsLfs2(rp2.Flash(start=wiring.FILES_START, len=wiring.FILES_LENGTH), progsize=256), "/")
except OSError:
    pass  # nothing is mounted: start.py sees that
