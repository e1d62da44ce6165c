// `events`: a wait that any interrupt ends; the only function the pump needs that stock MicroPython lacks.
//
// `machine.idle()` wakes every millisecond, `time.sleep_ms()` sleeps through interrupts. `events.wait_ms(ms)` runs the
// scheduled callbacks, then sleeps (WFE) until the next interrupt, `ms` at most. An interrupt between the caller's last
// test and the sleep ends the sleep at once: the core latches it (ARMv6-M, B1.5.18).

#include "py/mphal.h"
#include "py/runtime.h"

static mp_obj_t events_wait_ms(mp_obj_t ms) {
    mp_event_wait_ms(mp_obj_get_int(ms));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(events_wait_ms_obj, events_wait_ms);

static const mp_rom_map_elem_t events_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_events) },
    { MP_ROM_QSTR(MP_QSTR_wait_ms), MP_ROM_PTR(&events_wait_ms_obj) },
};
static MP_DEFINE_CONST_DICT(events_globals, events_globals_table);

const mp_obj_module_t events_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&events_globals,
};

MP_REGISTER_MODULE(MP_QSTR_events, events_module);
