"""Pin numbers and I2C addresses of this pump's board."""

STEP = 2
DIR = 3  # 1: forward, fluid leaves the syringe
ENN = 8  # 0: coils energised; a resistor pulls it to 1
KEY_START = 9  # keys: 0 while pressed
KEY_STOP = 10
KEY_ACK = 11
PCA_NO = 12  # normally open contact: 0 while pressed
PCA_NC = 13  # normally closed contact: 1 while pressed
DOOR = 14  # 0: closed
SYRINGE = 15  # 0: gripped
HOLD = 16  # interlock of a respiratory monitor: 0 holds the boluses
LIGHT_RED = 18
LIGHT_YELLOW = 19
LIGHT_GREEN = 20
PIEZO = 21
WATCHDOG = 22  # pulse to the external watchdog
MOTOR_SUPPLY = 26  # 1: motor power is on

PIN_COUNT = 30

# Pins that are 1 while nothing drives them (resistors, closed contacts); the others are 0.
_IDLE_HIGH = (ENN, KEY_START, KEY_STOP, KEY_ACK, PCA_NO, HOLD)


def idle_levels():
    """Levels of all pins with nothing pressed, everything closed and no output driven."""
    levels = [0] * PIN_COUNT
    for pin in _IDLE_HIGH:
        levels[pin] = 1
    return levels


AS5600 = 0x36
SSD1306 = 0x3C
FRAM = 0x50
RV3028 = 0x52
ABP2 = 0x28
