"""Makes a new file system where _boot.py expects it. `cisterna deploy --format` runs this in a board's raw REPL."""

import rp2
import vfs
from boards import wiring

vfs.VfsLfs2.mkfs(rp2.Flash(start=wiring.FILES_START, len=wiring.FILES_LENGTH), progsize=256)
