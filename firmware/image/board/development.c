// The development image: the frozen start.py takes the place of main.py, and runs whichever main.py comes first on
// sys.path. (The port would always take the frozen one.) A boot.py has nothing to do on this board.

#include <string.h>

#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

int __wrap_pyexec_file_if_exists(const char *name) {
    return strcmp(name, "main.py") == 0 ? pyexec_frozen_module("start.py", true) : 1;
}
