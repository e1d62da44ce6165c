// The development image: the frozen start.py replaces main.py, and runs the main.py that comes first on sys.path. (The
// port would always run the frozen one.) boot.py is not run.

#include <string.h>

#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

int __wrap_pyexec_file_if_exists(const char *name) {
    return strcmp(name, "main.py") == 0 ? pyexec_frozen_module("start.py", true) : 1;
}
