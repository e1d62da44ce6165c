"""A run of the simulated physics, printed to the last bit. CPython and MicroPython must agree."""

import struct
import sys

if sys.implementation.name == "micropython":
    from world import World
else:
    from cisterna.bench.world import World


def bits(x):
    return "".join(f"{byte:02x}" for byte in struct.pack("<d", x))


def numbers():
    world = World({"seed": 7, "pump": {"movement_kpa": 3.0, "bore_error_percent": 0.3}, "drug": "morphine"})
    plant, gpio, timeline = world.plant, world.gpio, world.timeline
    gpio.drive(22, 1)
    gpio.drive(3, 1)
    gpio.drive(8, 1)
    gpio.drive(8, 0)
    source = plant.source
    source.set_active(True)
    answer = bytearray(4)
    angle = bytearray(2)
    out = []
    for n in range(400):
        if n == 50:
            world.act("connect")
            world.act("mark_start")
        if n == 150:
            world.act("occlude", fraction=1.0)
            world.act("back_pressure", kpa=6, over_s=33)
        if n == 180:
            gpio.drive(3, 0)
        if n == 210:
            gpio.drive(3, 1)
            world.act("clear")
        source.put(150_000)
        source.put(195_000 + 1000 * n)
        source.put(15 + n % 7)
        timeline.now_us += 9_876_543
        world.pressure.write(b"\xaa\x00\x00")
        world.encoder.read_at(0x0C, 1, angle)
        timeline.now_us += 5000
        world.pressure.read_into(answer)
        out.append((bits(plant.line.kpa), bytes(answer), bytes(angle)))
    truth = world.truth()
    for name in ("pumped_ul", "delivered_ul", "pumped_ug", "released_ul", "pressure_kpa", "tip_kpa", "reservoir_ul"):
        out.append((name, bits(truth[name])))
    for window in ("1h", "4h", "24h"):
        out.append((window, bits(truth["peak_window_ug"][window])))
    out.append(truth["steps"])
    return out


if __name__ == "__main__":
    for line in numbers():
        print(line)
