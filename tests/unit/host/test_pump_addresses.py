"""How a pump is found: the meaning of an address, and the error if it means no pump or several."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cisterna.link import addresses, registry
from cisterna.link.addresses import AddressError, port_of
from cisterna.link.registry import RegistryEntry, RunningPump
from cisterna.link.transport import PortRefused, SerialTransport

ONE = RunningPump("unix", "CB-0001", "/dev/pts/91", None, 0)
NEW = RunningPump("unix", None, "/dev/pts/92", None, 0)
CHIP = RunningPump("rp2040", "CB-0003", "/dev/pts/93", "/dev/pts/94", 0)
CONSOLE_ONLY = RunningPump("rp2040", None, None, "/dev/pts/95", 0)


def adapter(device, serial, vid=0x0403):
    return SimpleNamespace(device=device, serial_number=serial, vid=vid, description="USB serial")


@pytest.fixture
def there(monkeypatch):
    """Sets which simulated pumps and adapters there are; an adapter's pump says the serial number in `says`."""

    def place(pumps=(), ports=(), says=None):
        monkeypatch.setattr(registry, "running", lambda: list(pumps))
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(ports))
        monkeypatch.setattr(addresses, "_pump_serial_at", lambda port: (says or {}).get(port))

    place()
    return place


def test_a_simulated_pump_by_kind_and_serial_number(there):
    there([ONE, NEW, CHIP])
    assert port_of("unix:CB-0001") == ONE.link
    assert port_of("rp2040:") == port_of("rp2040:CB-0003") == CHIP.link
    with pytest.raises(AddressError) as caught:
        port_of("unix:")
    lines = str(caught.value).splitlines()
    assert "there are 2" in lines[0] and "CB-0001" in lines[1] and "not provisioned" in lines[2]


def test_one_that_has_no_link_is_no_pump_on_the_line(there):
    there([CONSOLE_ONLY])
    for address in ("rp2040:", None):
        with pytest.raises(AddressError, match="cisterna emulate"):
            port_of(address)


def test_an_adapter_by_its_own_number_or_by_its_pump_s(there):
    ports = [adapter("/dev/ttyUSB0", "A1"), adapter("/dev/ttyUSB1", "A2"), adapter("/dev/ttyACM0", "P", vid=0x2E8A)]
    there(ports=ports, says={"/dev/ttyUSB0": "CB-0001", "/dev/ttyUSB1": "CB-0002", "/dev/ttyACM0": "CB-0009"})
    assert port_of("serial:A2") == "/dev/ttyUSB1"
    assert port_of("serial:CB-0001") == "/dev/ttyUSB0"
    for address in ("serial:P", "serial:CB-0009", "serial:CB-0003", "serial:"):  # a board's own port is its console
        with pytest.raises(AddressError):
            port_of(address)


def test_two_pumps_with_one_serial_number_are_refused(there):
    ports = [adapter("/dev/ttyUSB0", "A1"), adapter("/dev/ttyUSB1", "A2")]
    there(ports=ports, says={"/dev/ttyUSB0": "CB-0001", "/dev/ttyUSB1": "CB-0001"})
    with pytest.raises(AddressError, match="there are 2 such"):
        port_of("serial:CB-0001")


@pytest.mark.parametrize("port", ["/dev/ttyUSB7", "COM3", "com12", "./pump"])
def test_a_port_is_used_as_given(there, port):
    assert port_of(port) == port


@pytest.mark.parametrize("address", ["pump", "usb:", "COM", "unix", "3"])
def test_invalid_addresses(there, address):
    with pytest.raises(AddressError, match="allowed: unix:"):
        port_of(address)


def test_without_an_address_the_only_pump_is_used(there):
    there([ONE])
    assert port_of() == ONE.link
    there(ports=[adapter("/dev/ttyUSB0", "A1")])
    assert port_of() == "/dev/ttyUSB0"
    there([ONE], [adapter("/dev/ttyUSB0", "A1")])
    with pytest.raises(AddressError, match="there are 2") as caught:
        port_of()
    assert "unix:CB-0001" in str(caught.value) and "/dev/ttyUSB0" in str(caught.value)


# --- the files of the running ones


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return registry.folder()


def test_a_pump_is_listed_as_long_as_its_process_runs(folder):
    notice = RegistryEntry()
    notice.publish(NEW)
    assert registry.running() == [NEW]
    notice.publish(ONE)
    assert registry.running() == [ONE]
    notice.close()
    assert registry.running() == [] and list(folder.iterdir()) == []


def test_files_of_a_killed_process_are_removed(folder):
    code = (
        "import os; from cisterna.link.registry import RegistryEntry, RunningPump; n = RegistryEntry()\n"
        "n.publish(RunningPump('unix', 'X', '/dev/pts/1', None, os.getpid())); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert len(list(folder.glob("*.json"))) == 1
    assert registry.running() == [] and list(folder.glob("*.json")) == []


def test_an_unreadable_registry_file_is_skipped(folder):
    notice = RegistryEntry()
    notice.publish(ONE)
    path = next(folder.glob("*.json"))
    path.write_text("{")
    assert registry.running() == []
    path.write_text('{"colour": "red"}')
    assert registry.running() == []
    notice.close()


def test_a_folder_of_another_user_is_not_trusted(folder, monkeypatch):
    notice = RegistryEntry()
    notice.publish(ONE)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert registry.running() == []
    notice.close()


# --- opening


def test_ports_that_cannot_be_opened(tmp_path):
    text = tmp_path / "text"
    text.write_text("no port")
    with pytest.raises(PortRefused, match="there is no such port"):
        SerialTransport(str(tmp_path / "none"))
    with pytest.raises(PortRefused, match="cannot be opened as a serial port"):
        SerialTransport(str(text))
