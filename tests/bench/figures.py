"""Prints what is fast, small and exact, each figure beside what it must reach and, where there is one, a peer.

Not a test: figures of wall time belong to one machine. Behaviour is asserted elsewhere.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from cisterna import paths
from cisterna.bench.unix_target import UnixTarget
from cisterna.sim import runner, schema
from cisterna.sim.trace import Row

Figure = tuple[str, str, str, str]  # what, found, must reach, peer


def scenario(basal_ml_per_h: float, duration: str, actions: list[dict] = (), **rx: Any) -> schema.Scenario:
    """Test fluid of 1 mg/mL in a 10 mL syringe, nobody moving."""
    prescription = {
        "drug": "test-fluid",
        "concentration_ug_per_ml": 1000,
        "route": "intrathecal",
        "site": "lumbar",
        "basal_ug_per_day": round(basal_ml_per_h * 24_000),
        "bolus_ug": 0,
        "bolus_duration_s": 60,
        "lockout_s": 60,
    }
    raw = {
        "title": "figure",
        "duration": duration,
        "pump": {
            "syringe": "bd-50" if basal_ml_per_h > 4 else "bd-10",
            "fill_ml": 40.0 if basal_ml_per_h > 4 else 10.0,
        },
        "prescription": prescription | rx,
        "at": list(actions),
    }
    return schema.check(raw, "figure")


def rows(case: schema.Scenario, every_s: int) -> list[Row]:
    return runner.run(case, UnixTarget(paths.firmware()), every_s * 1000).rows


def speed() -> Iterator[Figure]:
    day = schema.load(paths.SCENARIOS / "hydromorphone-pca-day.toml")
    ours = min(runner.run(day, UnixTarget(paths.firmware())).summary["wall_s"] for _ in range(3))
    peer = _timed(_glucose_day)
    yield "hydromorphone PCA day, one core", f"{ours:.2f} s", "<= 3 s", f"simglucose, a day: {peer:.2f} s"


def _timed(work: Callable[[], None]) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def _glucose_day() -> None:
    """The peer's own quick start: one patient, one day."""
    import contextlib
    import io
    import tempfile
    import warnings
    from datetime import datetime, timedelta

    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from simglucose.actuator.pump import InsulinPump
        from simglucose.controller.basal_bolus_ctrller import BBController
        from simglucose.patient.t1dpatient import T1DPatient
        from simglucose.sensor.cgm import CGMSensor
        from simglucose.simulation.env import T1DSimEnv
        from simglucose.simulation.scenario import CustomScenario
        from simglucose.simulation.sim_engine import SimObj, sim

        begin = datetime(2026, 1, 5)
        meals = CustomScenario(start_time=begin, scenario=[(7, 45), (12, 70), (18, 80)])
        patient, sensor = T1DPatient.withName("adolescent#001"), CGMSensor.withName("Dexcom", seed=1)
        env = T1DSimEnv(patient, sensor, InsulinPump.withName("Insulet"), meals)
        with tempfile.TemporaryDirectory() as folder:
            sim(SimObj(env, BBController(), timedelta(days=1), animate=False, path=folder))


def flow() -> Iterator[Figure]:
    for ml_per_h in (0.1, 1, 10):
        found = rows(scenario(ml_per_h, "2h"), 3600)
        error = ((found[2].pumped_ul - found[1].pumped_ul) / (ml_per_h * 1000) - 1) * 100
        yield f"mean flow error, hour 2, {ml_per_h:g} mL/h", f"{error:+.3f} %", "+-0.5 %", "best syringe pump: +-2 %"


def trumpet() -> Iterator[Figure]:
    found = rows(scenario(1, "2h"), 30)[120:]
    for minutes, bound in ((2, 5), (5, None), (11, None), (19, None), (31, 1)):
        span = 2 * minutes
        errors = [
            (later.delivered_ul - row.delivered_ul) / (1000 * minutes / 60) * 100 - 100
            for row, later in zip(found, found[span:], strict=False)
        ]
        must = f"+-{bound} %" if bound else ""
        yield f"trumpet, 1 mL/h, {minutes} min", f"{min(errors):+.2f} to {max(errors):+.2f} %", must, "IEC 60601-2-24"


def boluses() -> Iterator[Figure]:
    press = {"t": "1s", "do": "press", "count": 25, "gap_ms": 129_800}
    found = rows(scenario(0, "3251s", [press], bolus_ug=50), 130)
    volumes = [after.pumped_ul - row.pumped_ul for row, after in zip(found, found[1:], strict=False)]
    low, high = min(volumes) * 2 - 100, max(volumes) * 2 - 100
    yield "25 boluses of 50 uL, each", f"{low:+.2f} to {high:+.2f} %", "+-2 %", "CADD: -3.0 to +4.2 %"


def occlusions() -> Iterator[Figure]:
    for name, minutes, peer in (("0.1", 60, "CRONO: 5 h"), ("1", 6, ""), ("5", 1.2, "CRONO: 5 min")):
        case = schema.load(paths.SCENARIOS / f"occlusion-{name}-ml-h.toml")
        summary = runner.run(case, UnixTarget(paths.firmware())).summary
        closed_s = case.at[0].t / 1000
        found = [a["t_on"] - closed_s for a in summary["alarms"] if a["code"] == "occlusion_downstream"]
        shown = f"{found[0] / 60:.2f} min" if found else "not found"
        yield f"occlusion to alarm, {name} mL/h", shown, f"<= {minutes:g} min", peer
        yield f"released after it, {name} mL/h", f"{summary['released_ul']:.2f} uL", "<= 10 uL", "best: 2.5 uL"


def main() -> None:
    for what, found, must, peer in (line for part in (speed, flow, trumpet, boluses, occlusions) for line in part()):
        print(f"{what:36} {found:>22}  {must:10} {peer}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
