"""How a pump is found: what an address means, and what is said when it means nothing, or more than one."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from cisterna.bench import running
from cisterna.bench.running import Notice, Running
from cisterna.link import addresses
from cisterna.link.addresses import AddressError, port_of
from cisterna.link.transport import PortRefused, SerialTransport

ONE = Running("unix", "CB-0001", "/dev/pts/91", None, 0)
NEW = Running("unix", None, "/dev/pts/92", None, 0)
CHIP = Running("rp2040", "CB-0003", "/dev/pts/93", "/dev/pts/94", 0)
CONSOLE_ONLY = Running("rp2040", None, None, "/dev/pts/95", 0)


def adapter(device, serial, vid=0x0403):
    return SimpleNamespace(device=device, serial_number=serial, vid=vid, description="USB serial")


@pytest.fixture
def there(monkeypatch):
    """Sets which simulated pumps and adapters there are; an adapter's pump says the serial number in `says`."""

    def place(pumps=(), ports=(), says=None):
        monkeypatch.setattr(running, "running", lambda: list(pumps))
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(ports))
        monkeypatch.setattr(addresses, "_says", lambda port: (says or {}).get(port))

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


def test_two_pumps_of_one_number_are_none(there):
    ports = [adapter("/dev/ttyUSB0", "A1"), adapter("/dev/ttyUSB1", "A2")]
    there(ports=ports, says={"/dev/ttyUSB0": "CB-0001", "/dev/ttyUSB1": "CB-0001"})
    with pytest.raises(AddressError, match="there are 2 such"):
        port_of("serial:CB-0001")


@pytest.mark.parametrize("port", ["/dev/ttyUSB7", "COM3", "com12", "./pump"])
def test_a_port_is_itself(there, port):
    assert port_of(port) == port


@pytest.mark.parametrize("address", ["pump", "usb:", "COM", "unix", "3"])
def test_what_is_no_address(there, address):
    with pytest.raises(AddressError, match="allowed: unix:"):
        port_of(address)


def test_without_an_address_the_only_one(there):
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
    return running.folder()


def test_a_pump_is_there_as_long_as_its_process(folder):
    notice = Notice()
    notice.tell(NEW)
    assert running.running() == [NEW]
    notice.tell(ONE)
    assert running.running() == [ONE]
    notice.close()
    assert running.running() == [] and list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_removed(folder):
    code = (
        "import os; from cisterna.bench.running import Notice, Running; n = Notice()\n"
        "n.tell(Running('unix', 'X', '/dev/pts/1', None, os.getpid())); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert len(list(folder.glob("*.json"))) == 1
    assert running.running() == [] and list(folder.glob("*.json")) == []


def test_a_file_that_says_nothing_is_passed_over(folder):
    notice = Notice()
    notice.tell(ONE)
    path = next(folder.glob("*.json"))
    path.write_text("{")
    assert running.running() == []
    path.write_text('{"colour": "red"}')
    assert running.running() == []
    notice.close()


def test_a_folder_of_somebody_else_is_not_believed(folder, monkeypatch):
    notice = Notice()
    notice.tell(ONE)
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert running.running() == []
    notice.close()


# --- opening


def test_ports_that_cannot_be_opened(tmp_path):
    text = tmp_path / "text"
    text.write_text("no port")
    with pytest.raises(PortRefused, match="there is no such port"):
        SerialTransport(str(tmp_path / "none"))
    with pytest.raises(PortRefused, match="cannot be opened as a serial port"):
        SerialTransport(str(text))
