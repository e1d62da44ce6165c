// Wraps every erase and program of the flash (ld --wrap); the port checks neither block number nor length.

#include <string.h>

#include "hardware/flash.h"
#include "hardware/watchdog.h"
#include "py/mpconfig.h"

void __real_flash_range_erase(uint32_t offset, size_t count);
void __real_flash_range_program(uint32_t offset, const uint8_t *data, size_t count);

// A write outside the storage region, for instance over the code, can only be a fault: resets the chip at once.
static void check(uint32_t offset, size_t count) {
    const uint32_t end = MICROPY_HW_FLASH_STORAGE_BASE + MICROPY_HW_FLASH_STORAGE_BYTES;
    if (offset < MICROPY_HW_FLASH_STORAGE_BASE || offset > end || count > end - offset) {
        watchdog_reboot(0, 0, 0);
        for (;;) {
        }
    }
}

void __wrap_flash_range_erase(uint32_t offset, size_t count) {
    check(offset, count);
    __real_flash_range_erase(offset, count);
}

// The chip programs whole pages of 256 bytes, from RAM, since the flash cannot be read meanwhile. So a part of a page
// is programmed as a page filled up with ones, which leave the other bytes unchanged.
void __wrap_flash_range_program(uint32_t offset, const uint8_t *data, size_t count) {
    static uint8_t page[FLASH_PAGE_SIZE];
    check(offset, count);
    while (count) {
        const uint32_t first = offset % FLASH_PAGE_SIZE;
        const size_t part = count < FLASH_PAGE_SIZE - first ? count : FLASH_PAGE_SIZE - first;
        memset(page, 0xff, sizeof(page));
        memcpy(page + first, data, part);
        __real_flash_range_program(offset - first, page, sizeof(page));
        offset += part;
        data += part;
        count -= part;
    }
}
