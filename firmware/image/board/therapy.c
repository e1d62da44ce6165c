// The therapy image: start of the watchdog before the firmware, and the wait for it after the firmware. Never a prompt.

#include "hardware/sync.h"
#include "hardware/watchdog.h"
#include "py/builtin.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

#define WATCHDOG_MS (8000) // as in drivers/watchdog.py

// Called before any Python, so that a start that hangs is reset too.
void cisterna_start_watchdog(void) {
    watchdog_enable(WATCHDOG_MS, false);
}

// Called when the firmware has ended, which happens only by an error: the motor is off and the alarm sounds. The
// watchdog is no longer fed, so it resets the chip and the firmware starts again.
void cisterna_wait_for_watchdog(void) {
    for (;;) {
        __wfe();
    }
}

// The port would now show a prompt by these functions. The compiler behind a prompt is not in this image.
int pyexec_friendly_repl(void) {
    cisterna_wait_for_watchdog();
    return 0;
}

int pyexec_raw_repl(void) {
    cisterna_wait_for_watchdog();
    return 0;
}

// The port sets a character that interrupts main.py. Here none does.
void mp_hal_set_interrupt_char(int c) {
    (void)c;
}

// Only frozen and built-in modules can be imported: no path, no boot.py and no file exists.
mp_import_stat_t mp_import_stat(const char *path) {
    (void)path;
    return MP_IMPORT_STAT_NO_EXIST;
}

static mp_obj_t open_nothing(size_t n_args, const mp_obj_t *args, mp_map_t *kwargs) {
    mp_raise_OSError(MP_ENODEV);
}
MP_DEFINE_CONST_FUN_OBJ_KW(mp_builtin_open_obj, 1, open_nothing);
