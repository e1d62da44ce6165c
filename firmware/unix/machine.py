"""`machine` of the simulated board: the classes of the RP2040 port, over the pins and buses of a simulated world.

The simulation attaches its world before it starts the firmware; the firmware needs no code for that. Code takes no
virtual time: time advances in `idle`, in the sleeps of `time`, and while a full UART sends.
"""

PWRON_RESET = 1
WDT_RESET = 3

_NEVER = 1 << 60

_world = None


def attach(world):
    """Power-up of the CPU, wired to `world`: all pins are inputs, nothing runs, no interrupt is set up."""
    global _world
    _world = world
    Pin._states = {}
    world.gpio.on_input = _edge


def attached():
    """The attached world. RuntimeError if there is none."""
    if _world is None:
        raise RuntimeError("machine: no simulated world is attached")
    return _world


def _edge(pin, level):
    state = Pin._states.get(pin)
    edge = Pin.IRQ_RISING if level else Pin.IRQ_FALLING
    if state and state.handler and state.trigger & edge:
        state.edges = edge
        _world.interrupt(state.handler, state.pin)


class _PinState:
    """State of one pin; shared by all Pin objects of its number."""

    def __init__(self, pin):
        self.pin = pin
        self.output = False
        self.latch = 0
        self.handler = None
        self.trigger = 0
        self.edges = 0  # the edge of the last interrupt

    def flags(self):
        """As `flags` of the port's irq object: the edge of the last interrupt."""
        return self.edges


class Pin:
    """GPIO `id` 0 .. 29. Pulls are accepted without effect: the world has the idle level of each pin."""

    IN = 0
    OUT = 1
    OPEN_DRAIN = 2
    ALT = 3
    PULL_UP = 1
    PULL_DOWN = 2
    IRQ_FALLING = 4
    IRQ_RISING = 8

    _states = {}

    def __init__(self, id, mode=-1, pull=-1, *, value=None, alt=-1):
        if isinstance(id, Pin):
            id = id.id
        if not isinstance(id, int) or not 0 <= id < 30:
            raise ValueError(f"Pin id is {id!r}; 0 to 29 are there")
        self.id = id
        self._gpio = attached().gpio
        states = Pin._states
        if id not in states:
            states[id] = _PinState(self)
        self._state = states[id]
        if mode != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, alt=-1):
        """Sets direction, pull and initial level."""
        state = self._state
        if value is not None:
            state.latch = 1 if value else 0
        if mode != -1:
            state.output = mode == Pin.OUT or mode == Pin.OPEN_DRAIN
            if state.output and self.id not in _world.outputs:
                _world.outputs.append(self.id)
        if state.output:
            self._gpio.drive(self.id, state.latch)

    def value(self, x=None):
        """The level at the pin; with `x`, sets the level of the output."""
        if x is None:
            return self._gpio.levels[self.id]
        if _world.timeline.ending:
            _world.timeline.touch()
        state = self._state
        state.latch = 1 if x else 0
        if state.output:
            self._gpio.drive(self.id, state.latch)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    high = on
    low = off

    def toggle(self):
        self.value(1 - self._state.latch)

    def irq(self, handler=None, trigger=12, *, priority=1, wake=None, hard=False):
        """Calls `handler(pin)` at each edge of `trigger`, hard or soft, at the instant of the edge.

        Returns an object with `flags()`.
        """
        self._state.handler = handler
        self._state.trigger = trigger
        return self._state

    def __repr__(self):
        return f"Pin(GPIO{self.id})"


class I2C:
    """Bus `id` 0 or 1. Transfers raise OSError(EIO) if the address is not acknowledged."""

    def __init__(self, id, *, scl=None, sda=None, freq=400000, timeout=50000):
        world = attached()
        if id not in (0, 1):
            raise ValueError(f"I2C({id!r}) doesn't exist; 0 and 1 do")
        self._touch = world.timeline.touch
        self._bus = world.buses[id]

    def scan(self):
        """Addresses that answer."""
        self._touch()
        return self._bus.addresses()

    def writeto(self, addr, buf, stop=True):
        """Writes `buf`. Returns the number of acknowledged bytes."""
        self._touch()
        self._bus.chip(addr).write(buf)
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        """Writes all buffers of `vector` in one transaction."""
        return self.writeto(addr, b"".join([bytes(part) for part in vector]), stop)

    def readfrom_into(self, addr, buf, stop=True):
        """Fills `buf`."""
        self._touch()
        self._bus.chip(addr).read_into(buf)

    def readfrom(self, addr, nbytes, stop=True):
        buf = bytearray(nbytes)
        self.readfrom_into(addr, buf)
        return bytes(buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        """Writes `buf` at register `memaddr` of `addrsize` bits."""
        self._touch()
        self._bus.chip(addr).write_at(memaddr, addrsize >> 3, buf)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        """Fills `buf` from register `memaddr` on."""
        self._touch()
        self._bus.chip(addr).read_at(memaddr, addrsize >> 3, buf)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf, addrsize=addrsize)
        return bytes(buf)


class UART:
    """The link to the host. Reads and writes as with timeout=0, but a write waits until there is room."""

    IRQ_RXIDLE = 0x40
    IRQ_TXIDLE = 0x20
    IRQ_BREAK = 0x200

    def __init__(self, id, baudrate=115200, **keys):
        if id != 0:
            raise ValueError(f"UART({id!r}) is not wired; 0 is")
        self._world = attached()
        self._touch = self._world.timeline.touch
        self._wire = self._world.wire
        self._handler = None
        self._trigger = 0
        self.init(baudrate, **keys)

    def init(self, baudrate=115200, bits=8, parity=None, stop=1, *, rxbuf=256, txbuf=256, timeout=0, **keys):
        """Format other than 8N1 and pins are accepted and change nothing. `timeout`: ms that `write` waits for room."""
        self._touch()
        self._timeout_us = timeout * 1000
        wire = self._wire
        wire.open(baudrate, max(32, rxbuf), max(32, txbuf))
        wire.on_rx = self._received

    def deinit(self):
        self._wire.close()

    def any(self):
        """Bytes that can be read now."""
        self._touch()
        return len(self._wire.received)

    def read(self, nbytes=-1):
        """Up to `nbytes` received bytes; None if there are none."""
        self._touch()
        wire = self._wire
        if not wire.received:
            return None
        return bytes(wire.take(len(wire.received) if nbytes < 0 else nbytes))

    def readinto(self, buf, nbytes=-1):
        """As `read`, into `buf`. Returns the number of bytes, or None."""
        data = self.read(len(buf) if nbytes < 0 else min(nbytes, len(buf)))
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def readline(self):
        """The received bytes up to and including the first line feed, or all; None if there are none."""
        end = self._wire.received.find(b"\n")
        return self.read(end + 1 if end >= 0 else -1)

    def write(self, buf):
        """Sends `buf`; waits up to `timeout` while the transmit buffer is full. Bytes taken; None for none."""
        world = self._world
        wire = self._wire
        size = len(buf)
        done = 0
        view = memoryview(buf)
        world.timeline.touch()
        give_up_us = world.timeline.now_us + self._timeout_us
        while True:
            n = min(size - done, wire.room())
            if n:
                wire.transmit(view[done : done + n])
                done += n
                give_up_us = world.timeline.now_us + self._timeout_us
            if done == size or world.timeline.now_us >= give_up_us:
                return done or None
            world.timeline.sleep_until(world.timeline.now_us + 16 * wire.byte_ns // 1000 + 1)

    def txdone(self):
        """True if all bytes have been sent."""
        self._touch()
        return self._wire.sent_us <= self._world.timeline.now_us

    def flush(self):
        """Waits until all bytes have been sent."""
        self._world.timeline.sleep_until(self._wire.sent_us)

    def irq(self, handler=None, trigger=0, hard=False):
        """Calls `handler(uart)` at IRQ_RXIDLE (a burst has ended) and IRQ_TXIDLE (all bytes were sent)."""
        self._handler = handler
        self._trigger = trigger
        self._wire.on_tx = self._sent if handler and trigger & UART.IRQ_TXIDLE else None
        return self

    def _received(self, idle):
        self._world.timeline.interrupted = True  # the interrupt of the port itself wakes the CPU in any case
        if idle and self._handler and self._trigger & UART.IRQ_RXIDLE:
            self._world.interrupt(self._handler, self)

    def _sent(self):
        self._world.interrupt(self._handler, self)


class Timer:
    """A software timer. `period` in ms, or `freq` in Hz; the callback runs at the exact microsecond."""

    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id=-1, **keys):
        self._world = attached()
        self.due_us = _NEVER
        self.registered = False
        if keys:
            self.init(**keys)

    def init(self, *, mode=PERIODIC, period=-1, freq=-1, callback=None, hard=False):
        """Starts or restarts the timer."""
        world = self._world
        self._period_us = period * 1000 if freq == -1 else 1000000 // freq
        self._periodic = mode == Timer.PERIODIC
        self._callback = callback
        self.due_us = world.timeline.now_us + max(1, self._period_us)
        if not self.registered:
            world.register_timer(self)

    def deinit(self):
        self.due_us = _NEVER

    def fire(self):
        """Runs the callback; the world calls it when the timer is due."""
        if self._periodic:
            self.due_us += self._period_us
        else:
            self.due_us = _NEVER
        if self._callback:
            self._world.interrupt(self._callback, self)


class WDT:
    """The watchdog of the RP2040; cannot be stopped once started. `timeout` in ms, 8388 at most."""

    def __init__(self, id=0, timeout=5000):
        self._watchdog = attached().watchdog
        self._watchdog.start(timeout)

    def feed(self):
        self._watchdog.feed()


class ADC:
    """No analogue signal is simulated: every channel reads 0."""

    def __init__(self, pin):
        self._touch = attached().timeline.touch

    def read_u16(self):
        self._touch()
        return 0


class PWM:
    """Its settings are in `sounds` of the world, under the number of the pin; no level changes."""

    def __init__(self, pin, *, freq=0, duty_u16=0, duty_ns=0, invert=False):
        self._id = pin.id
        self._settings = [freq, duty_u16]
        self._publish()

    def freq(self, value=None):
        if value is None:
            return self._settings[0]
        self._settings[0] = value
        self._publish()

    def duty_u16(self, value=None):
        if value is None:
            return self._settings[1]
        self._settings[1] = value
        self._publish()

    def deinit(self):
        attached().sounds.pop(f"pwm{self._id}", None)

    def _publish(self):
        attached().sounds[f"pwm{self._id}"] = tuple(self._settings)


def idle():
    """Sleeps until the next interrupt."""
    _world.timeline.wait()


def lightsleep(time_ms=None):
    """Sleeps for `time_ms`, or until an interrupt. The PIO keeps running, unlike on the real chip."""
    if time_ms is None:
        idle()
    else:
        _world.timeline.sleep_until(_world.timeline.now_us + time_ms * 1000)


def reset():
    """Resets the CPU. Does not return."""
    attached().reset_cpu()


soft_reset = reset


def bootloader():
    """Starts the boot loader of the RP2040. It is not simulated: the board then waits for a power cycle."""
    attached().enter_boot_loader()


def reset_cause():
    return attached().reset_cause


def unique_id():
    """8 bytes; no real board has this id."""
    return b"SIMULATE"


def freq():
    return 125_000_000


def disable_irq():
    """Does nothing: interrupts come only while time advances."""
    return 0


def enable_irq(state=None):
    pass
