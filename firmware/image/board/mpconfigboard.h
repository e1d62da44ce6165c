// The reference pump on a Raspberry Pi Pico: flash layout, and features left out.

#define MICROPY_HW_BOARD_NAME "Cisterna pump"

// Code and frozen firmware lie below the storage region; the linker refuses an image that does not fit there. The
// storage region extends to the end of the flash. boards/wiring.py divides it, and README.md lists all regions.
#define MICROPY_HW_FLASH_STORAGE_BASE (0x0c0000)
#define MICROPY_HW_FLASH_STORAGE_BYTES (0x140000)

// Left out: threads on the second core, which would run beside the interrupts that gate the motor; a console on another
// stream; a USB drive, and USB devices defined at run time; the boot loader started by a baud rate.
#define MICROPY_PY_THREAD (0)
#define MICROPY_PY_OS_DUPTERM (0)
#define MICROPY_HW_USB_MSC (0)
#define MICROPY_HW_ENABLE_USB_RUNTIME_DEVICE (0)
#define MICROPY_HW_USB_CDC_1200BPS_TOUCH (0)

#if CISTERNA_THERAPY
// No console at all: the only input is the link of the firmware. therapy.c runs before and after the firmware.
#define MICROPY_HW_ENABLE_USBDEV (0)
#define MICROPY_HW_ENABLE_UART_REPL (0)
#define MICROPY_BOARD_EARLY_INIT cisterna_start_watchdog
#define MICROPY_BOARD_START_SOFT_RESET cisterna_wait_for_watchdog
void cisterna_start_watchdog(void);
void cisterna_wait_for_watchdog(void);
#endif
