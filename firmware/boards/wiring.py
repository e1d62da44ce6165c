"""Pins (GPIO numbers of the RP2040), buses, PIO state machines and flash regions of the pump. Levels at the pin."""

from micropython import const

LINK_UART = const(0)
LINK_TX = const(0)
LINK_RX = const(1)
LINK_BAUD = const(921_600)

STEP = const(2)
DIR = const(3)  # 1 = forward, delivers
ENN = const(8)  # TMC2209 enable: 0 = energised

I2C_CHIPS = const(0)  # encoder, clock, FRAM, display
I2C_CHIPS_SDA = const(4)
I2C_CHIPS_SCL = const(5)
I2C_LINE = const(1)  # line pressure sensor
I2C_LINE_SDA = const(6)
I2C_LINE_SCL = const(7)
I2C_HZ = const(400_000)

START = const(9)  # keys: 0 = pressed
STOP = const(10)
ACK = const(11)
PCA_NO = const(12)  # pendant, normally open: 0 = pressed
PCA_NC = const(13)  # pendant, normally closed: 1 = pressed (or the cord is cut)
DOOR = const(14)  # 0 = closed
SYRINGE = const(15)  # clamp, 0 = gripped
HOLD = const(16)  # interlock of a respiratory monitor, pulled up: 0 = no bolus

LIGHT_RED = const(18)  # yellow is 19, green is 20
PIEZO = const(21)
WATCHDOG = const(22)  # pulse to the external watchdog
MOTOR_POWER = const(26)  # 1 = the motor has its supply

# State machines: 0-3 are PIO 0, 4-7 are PIO 1.
STEP_MACHINE = const(0)
LIGHT_MACHINE = const(4)
SOUND_MACHINE = const(5)

# Regions of the flash, in bytes from the start of its storage region (image/README.md): files of a development board,
# vault (signed documents), and log.
FILES_START = const(0)
FILES_LENGTH = const(0x30000)
VAULT_START = const(0x30000)
VAULT_LENGTH = const(0x10000)
LOG_START = const(0x40000)
LOG_LENGTH = const(0x100000)
