# The reference pump on a Raspberry Pi Pico, for the build of the rp2 port of MicroPython. CISTERNA_MADE is the folder
# of the files generated for this image (build_info.py and build_info.h).
set(PICO_BOARD "pico")
set(PICO_PLATFORM "rp2040")

list(APPEND MICROPY_DEF_BOARD MP_CONFIGFILE="${MICROPY_BOARD_DIR}/config.h")
list(APPEND MICROPY_SOURCE_BOARD
    ${MICROPY_BOARD_DIR}/flash_guard.c
    ${MICROPY_BOARD_DIR}/binary_info.c
    ${MICROPY_BOARD_DIR}/../events/events.c
)
include_directories(${CISTERNA_MADE})
set(MICROPY_MANIFEST_CISTERNA_MADE ${CISTERNA_MADE})

# The linker script of the port, with two corrections. The flash for code ends at the storage region, so that the linker
# fails when it is full. And interpreter and garbage collector run from RAM, as the port intends: its patterns end in
# .c.obj, but the files of this compiler end in .c.o. The parser stays in flash.
file(STRINGS ${MICROPY_BOARD_DIR}/mpconfigboard.h storage REGEX "MICROPY_HW_FLASH_STORAGE_BASE \\(0x")
string(REGEX REPLACE ".*\\((0x[0-9a-f]+)\\)" "\\1" storage "${storage}")
file(READ ${MICROPY_PORT_DIR}/memmap_mp_rp2040.ld script)
string(REPLACE "LENGTH = 2048k" "LENGTH = ${storage}" script "${script}")
string(REPLACE "*gc.c.obj *vm.c.obj *parse.c.obj" "*gc.c.o *vm.c.o" script "${script}")
file(WRITE ${CMAKE_BINARY_DIR}/pump.ld "${script}")

# Deferred: the target exists only after the lists of the port have been read.
cmake_language(DEFER CALL pico_set_linker_script ${MICROPY_TARGET} ${CMAKE_BINARY_DIR}/pump.ld)
cmake_language(DEFER CALL target_link_options ${MICROPY_TARGET} PRIVATE
    -Wl,--wrap=flash_range_erase -Wl,--wrap=flash_range_program)
