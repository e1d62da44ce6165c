// The reference pump on a Raspberry Pi Pico: the layout of its flash, and what the board can do without.

#define MICROPY_HW_BOARD_NAME "Cisterna pump"

// Code and frozen firmware lie below the storage region; the linker refuses an image that does not fit there. The
// storage region goes to the end of the flash. What of it is whose is said in boards/wiring.py, and the table in
// README.md shows the whole.
#define MICROPY_HW_FLASH_STORAGE_BASE (0x0c0000)
#define MICROPY_HW_FLASH_STORAGE_BYTES (0x140000)

// Not on this pump: a second core, whose thread would run beside the interrupts that gate the motor; a console on some
// other stream; a drive on USB, or a USB device made up at run time; a bootloader that a baud rate can call.
#define MICROPY_PY_THREAD (0)
#define MICROPY_PY_OS_DUPTERM (0)
#define MICROPY_HW_USB_MSC (0)
#define MICROPY_HW_ENABLE_USB_RUNTIME_DEVICE (0)
#define MICROPY_HW_USB_CDC_1200BPS_TOUCH (0)

#if CISTERNA_THERAPY
// No console at all: nothing listens but the firmware's own link. What runs before and after it is in therapy.c.
#define MICROPY_HW_ENABLE_USBDEV (0)
#define MICROPY_HW_ENABLE_UART_REPL (0)
#define MICROPY_BOARD_EARLY_INIT cisterna_start_watchdog
#define MICROPY_BOARD_START_SOFT_RESET cisterna_wait_for_watchdog
void cisterna_start_watchdog(void);
void cisterna_wait_for_watchdog(void);
#endif
