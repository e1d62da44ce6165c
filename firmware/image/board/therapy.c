// The therapy image: what is there before the firmware runs, and what is left when it has ended. Never a prompt.

#include "hardware/sync.h"
#include "hardware/watchdog.h"
#include "py/builtin.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

#define WATCHDOG_MS (8000) // as the firmware's own, drivers/watchdog.py

// Before any Python: from here on whoever does not feed is reset, also a start that hangs.
void cisterna_start_watchdog(void) {
    watchdog_enable(WATCHDOG_MS, false);
}

// The firmware has ended, which it does only by an error: the motor is let go and the alarm sounds. Nobody feeds any
// more, so the chip is reset and the firmware starts anew.
void cisterna_wait_for_watchdog(void) {
    for (;;) {
        __wfe();
    }
}

// The port would now show a prompt. The compiler behind it is not in this image; these are the names it calls.
int pyexec_friendly_repl(void) {
    cisterna_wait_for_watchdog();
    return 0;
}

int pyexec_raw_repl(void) {
    cisterna_wait_for_watchdog();
    return 0;
}

// The port names a character that interrupts, for main.py. Here none does.
void mp_hal_set_interrupt_char(int c) {
    (void)c;
}

// There are frozen modules and built-in ones; a path leads nowhere, and neither boot.py nor a file exists.
mp_import_stat_t mp_import_stat(const char *path) {
    (void)path;
    return MP_IMPORT_STAT_NO_EXIST;
}

static mp_obj_t open_nothing(size_t n_args, const mp_obj_t *args, mp_map_t *kwargs) {
    mp_raise_OSError(MP_ENODEV);
}
MP_DEFINE_CONST_FUN_OBJ_KW(mp_builtin_open_obj, 1, open_nothing);
