"""Runs inside the MicroPython Unix port: the firmware, its simulated world, and the pipe to the host.

Requests are JSON objects, one per line on stdin; answers go to stdout after the mark \\x02. Other output on stdout is
the firmware's console. The host is served from inside the firmware's waits: when virtual time reaches the host's limit,
the wait reads commands until one sets a new limit. So there is one thread, and the firmware is suspended meanwhile.
"""

import gc
import io
import json
import sys
from binascii import hexlify, unhexlify

import machine
from flip_port import FlipPort
from world import CpuReset, World
from world.nonvolatile import NonvolatileState

_MARK = "\n\x02"
_MS = 1000
_HEAP_EVERY_US = 3_600_000_000  # a collection takes milliseconds: one per simulated hour


class Quit(BaseException):
    """The host has closed the pipe, or sent `close`."""


class Server:
    """Executes the host's commands: methods `cmd_...`, whose result is the answer's "ok"."""

    def __init__(self):
        self.world = None
        self.awaiting = False  # an exchange waits for a line
        self.heap_bare = 0
        self.heap_at_us = -1
        self.last_ending = None
        self.flip_port = FlipPort()

    def serve(self):
        """Read and answer commands until one advances time."""
        while True:
            line = sys.stdin.readline()
            if not line:
                raise Quit()
            command = json.loads(line)
            name = command.pop("cmd")
            if name == "close":
                reply(None)
                raise Quit()
            try:
                if name == "run_until":
                    if self.run_until(command["t_ms"]):
                        return
                elif name == "exchange":
                    if self.exchange(unhexlify(command["line"]), command["timeout_ms"]):
                        return
                else:
                    reply(getattr(self, "cmd_" + name)(**command))
            except (ValueError, AttributeError, TypeError, KeyError) as error:
                refuse(error)

    # Commands that advance time: answered afterwards

    def run_until(self, t_ms):
        t_us = t_ms * _MS
        timeline = self.world.timeline
        if t_us < timeline.now_us:
            raise ValueError(f"run_until: t is {t_ms} ms, but it is {timeline.now_us // _MS} ms already")
        if t_us == timeline.now_us:
            reply(t_ms)
            return False
        timeline.limit_us = t_us
        return True

    def exchange(self, line, timeout_ms):
        world = self.world
        self.unsolicited.extend(self.arrived())
        world.wire.send(line)
        self.awaiting = True
        timeline = world.timeline
        timeline.limit_us = timeline.now_us + timeout_ms * _MS
        for arrives_us, _ in world.wire.lines:  # a line already in transit counts as the next one
            self.line_comes(arrives_us)
        return True

    def line_comes(self, arrives_us):
        """The pump sends a line: an exchange ends at its arrival, rounded up to 1 ms."""
        timeline = self.world.timeline
        if self.awaiting:
            timeline.limit_us = min(timeline.limit_us, (arrives_us + _MS - 1) // _MS * _MS)

    def time_is_up(self):
        """The timeline's `host`: answer the command that advanced time, then serve the next ones."""
        if self.awaiting:
            self.awaiting = False
            lines = self.arrived()
            first = hexlify(lines[0]).decode() if lines else None
            self.unsolicited.extend(lines[1:])
            reply([self.world.timeline.now_us // _MS, first])
        else:
            reply(self.world.timeline.now_us // _MS)
        self.serve()

    # Commands that do not advance time

    def cmd_start(self, config):
        if self.world:
            raise ValueError("start: this pump runs already")
        self.unsolicited = []
        self.world = world = World(config)
        world.timeline.host = self.time_is_up
        world.on_handler_error = self.failed
        world.wire.on_line = self.line_comes
        gc.collect()
        self.heap_bare = gc.mem_alloc()

    def cmd_act(self, do, keys):
        if do == "flip":  # a fault inside the CPU: the world does not reach there
            self.flip_port.flip(**keys)
        else:
            self.world.act(do, **keys)

    def cmd_send(self, line):
        self.world.wire.send(unhexlify(line))

    def cmd_lines(self):
        lines = self.unsolicited + self.arrived()
        self.unsolicited = []
        return [hexlify(line).decode() for line in lines]

    def cmd_truth(self):
        self.measure_heap()
        return self.world.truth()

    def cmd_look(self):
        return self.world.look()

    # Non-volatile state

    def cmd_keep(self):
        """Record written pages from now on. Only before the firmware runs."""
        self.nonvolatile = NonvolatileState(self.world)

    def cmd_restore(self, pages, body):
        self.nonvolatile.restore(pages, body)

    def cmd_changes(self):
        return [self.nonvolatile.changes(), self.nonvolatile.mechanics()]

    def cmd_fram(self, address, length):
        return hexlify(self.world.fram.memory[address : address + length]).decode()

    # The rest

    def arrived(self):
        """Take the whole lines that have arrived."""
        now_us = self.world.timeline.now_us
        wire = self.world.wire
        here = [line for t_us, line in wire.lines if t_us <= now_us]
        wire.lines = [entry for entry in wire.lines if entry[0] > now_us]
        return here

    def measure_heap(self):
        now_us = self.world.timeline.now_us
        if self.heap_at_us < 0 or now_us - self.heap_at_us >= _HEAP_EVERY_US:
            self.heap_at_us = now_us
            gc.collect()
            self.world.heap_used = gc.mem_alloc() - self.heap_bare

    def failed(self, error):
        """The firmware ended with, or an interrupt handler raised, `error`."""
        text = io.StringIO()
        sys.print_exception(error, text)
        self.world.firmware_error = text.getvalue()

    def run_firmware(self):
        """Run the firmware from boot to a reset or power loss, which is raised."""
        world = self.world
        world.boot()
        machine.attach(world)
        try:
            import main

            self.flip_port.watch(main)
            main.main()
            world.firmware_error = f"main.main() returned at {world.timeline.now_us // _MS} ms"
        except Exception as error:
            self.failed(error)
        # The main program has ended; interrupts and granted steps continue until the watchdog, if started, resets.
        while True:
            world.timeline.wait()

    def run(self):
        """Run the firmware again after each reset, with all its modules imported again."""
        self.serve()  # up to the first command that advances time
        world = self.world
        own_modules = list(sys.modules)
        while True:
            try:
                self.run_firmware()
            except CpuReset as ending:
                self.last_ending = ending
            self.flip_port.power_lost()
            for name in list(sys.modules):
                if name not in own_modules:
                    del sys.modules[name]
            gc.collect()
            world.timeline.ending = None
            while not world.powered or world.in_boot_loader:
                world.timeline.wait()  # until power is back


def reply(result):
    sys.stdout.write(_MARK + json.dumps({"ok": result}) + "\n")


def refuse(error):
    sys.stdout.write(_MARK + json.dumps({"error": str(error), "kind": type(error).__name__}) + "\n")


if __name__ == "__main__":
    try:
        Server().run()
    except Quit:
        sys.exit()
