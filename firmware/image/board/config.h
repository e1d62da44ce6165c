// Settings that the port does not leave to the board. MP_CONFIGFILE names this file in place of that of the port.

#include "mpconfigport.h"

// Both images: the pump has no network, no FAT card, and no device for these modules.
#define MICROPY_PY_ASYNCIO (0)
#undef MICROPY_PY_CRYPTOLIB
#define MICROPY_PY_CRYPTOLIB (0)
#undef MICROPY_VFS_FAT
#define MICROPY_VFS_FAT (0)
#undef MICROPY_PY_ONEWIRE
#define MICROPY_PY_ONEWIRE (0)
#undef MICROPY_PY_MACHINE_DHT_READINTO
#define MICROPY_PY_MACHINE_DHT_READINTO (0)

#if CISTERNA_THERAPY

// Only frozen code can run, because everything that could run other code is left out:
// no compiler, so no REPL, no eval, no exec,
#define MICROPY_ENABLE_COMPILER (0)
#define MICROPY_PY_BUILTINS_EXECFILE (0)
#undef MICROPY_EMIT_THUMB
#define MICROPY_EMIT_THUMB (0)
#undef MICROPY_EMIT_INLINE_THUMB
#define MICROPY_EMIT_INLINE_THUMB (0)
// no file to import and no loader for it,
#undef MICROPY_PERSISTENT_CODE_LOAD
#define MICROPY_PERSISTENT_CODE_LOAD (0)
#undef MICROPY_VFS
#define MICROPY_VFS (0)
#undef MICROPY_VFS_LFS2
#define MICROPY_VFS_LFS2 (0)
#undef MICROPY_READER_VFS
#define MICROPY_READER_VFS (0)
#define MICROPY_PY_OS (0)
// no character that interrupts, and no stream for one,
#define MICROPY_KBD_EXCEPTION (0)
#define MICROPY_PY_SYS_STDFILES (0)
#define MICROPY_PY_BUILTINS_INPUT (0)
#define MICROPY_PY_BUILTINS_HELP (0)
// no access from Python to raw memory.
#define MICROPY_PY_MACHINE_MEMX (0)
#define MICROPY_PY_UCTYPES (0)

// machine.bootloader() stays, so that a pump can get a new image with its housing closed. The settings above make it
// safe: only frozen code can call it, and does so in one place, for an image that the authority has signed.
#undef MICROPY_PY_MACHINE_BOOTLOADER
#define MICROPY_PY_MACHINE_BOOTLOADER (1)

// Modules that the firmware does not import. (deflate stays: the CRC-32 of binascii needs it.)
#undef MICROPY_PY_HASHLIB_SHA1
#define MICROPY_PY_HASHLIB_SHA1 (0)
#define MICROPY_PY_CMATH (0)
#define MICROPY_PY_HEAPQ (0)
#define MICROPY_PY_PLATFORM (0)
#define MICROPY_PY_RANDOM (0)
#define MICROPY_PY_RE (0)
#define MICROPY_PY_SELECT (0)

#endif
