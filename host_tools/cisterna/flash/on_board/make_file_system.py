"""What `cisterna deploy --format` runs on a board, in its raw REPL: a new file system where _boot.py looks for it."""

import rp2
import vfs
from boards import wiring

vfs.VfsLfs2.mkfs(rp2.Flash(start=wiring.FILES_START, len=wiring.FILES_LENGTH), progsize=256)
