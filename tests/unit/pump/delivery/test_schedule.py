"""The step schedule: exact for ever, finite grants, no catch-up."""

from pump.delivery.schedule import BASAL, CLINICIAN, PCA, Schedule, basal_interval, bolus_interval, shortest_bolus_ms

PL = 41_282  # a microstep of the 10 mL syringe


def run(schedule, seconds, latency_us=1000):
    """Plays `seconds` of grants, each settled when its last step is made; returns the steps of each stream."""
    made = [0, 0, 0]
    now_us, end_us = 0, seconds * 1_000_000
    while now_us < end_us:
        if schedule.plan():
            took_us = schedule.last_us + latency_us
            assert schedule.steps * PL <= 1_000_000 or schedule.steps == 1
            assert schedule.last_us <= 10_005_000
            schedule.settle(took_us)
            for k in range(3):
                made[k] += schedule.made[k]
        else:
            took_us = 1_000_000
            schedule.pass_time(took_us)
        now_us += took_us
    return made


def test_basal_never_drifts():
    """DEL-01, WDG-03, NUM-03, TIM-03: after any time the count is the ideal one, to a step."""
    for ug_per_day, concentration in ((140, 50), (700, 200), (14_400, 1000), (7, 25), (240_000, 1000)):
        schedule = Schedule()
        schedule.configure(PL)
        schedule.start(BASAL, basal_interval(ug_per_day, concentration, PL))
        seconds = 20_000
        made = run(schedule, seconds)[BASAL]
        ideal = seconds * ug_per_day * 10**9 // (86_400 * concentration * PL)
        assert abs(made - ideal) <= max(1, 10_000_000 * ideal // (seconds * 1_000_000)) + 1, (ug_per_day, made, ideal)


def test_bolus_is_exact_and_in_time():
    """DEL-04, DEL-06: all of its steps, the last one just before its end."""
    schedule = Schedule()
    schedule.configure(PL)
    schedule.start(BASAL, basal_interval(140, 50, PL))
    usteps = 6782
    schedule.start(PCA, bolus_interval(usteps, 300_000), usteps)
    made = run(schedule, 299)
    assert usteps * 98 // 100 < made[PCA] < usteps
    made_after = run(schedule, 2)
    assert made[PCA] + made_after[PCA] == usteps
    assert schedule.left[PCA] == 0


def test_cut_gives_back_the_rest():
    """DEL-27: a grant that ends early loses no step and makes none twice."""
    schedule = Schedule()
    schedule.configure(PL)
    schedule.start(BASAL, basal_interval(14_400, 1000, PL))
    schedule.start(CLINICIAN, bolus_interval(500, 60_000), 500)
    total = [0, 0, 0]
    for turn in range(400):
        steps = schedule.plan()
        if turn % 3 == 0 and steps > 1:
            schedule.cut(steps // 2, schedule.first_us + (steps // 2 - 1) * schedule.period_us + 10)
        else:
            schedule.settle(schedule.last_us + 500)
        for k in range(3):
            total[k] += schedule.made[k]
    assert total[CLINICIAN] + schedule.left[CLINICIAN] == 500


def test_a_suspended_stream_stands_still():
    """DEL-11, DEL-12: it continues with exactly the rest."""
    schedule = Schedule()
    schedule.configure(PL)
    schedule.start(CLINICIAN, bolus_interval(1000, 600_000), 1000)
    before = run(schedule, 100)[CLINICIAN]
    schedule.hold(CLINICIAN, True)
    assert run(schedule, 100) == [0, 0, 0]
    schedule.hold(CLINICIAN, False)
    after = run(schedule, 520)[CLINICIAN]
    assert before + after == 1000


def test_no_catch_up():
    """H32: after a pause of any length at most one interval of backlog is made up."""
    schedule = Schedule()
    schedule.configure(PL)
    schedule.start(BASAL, basal_interval(140, 50, PL))  # a step every 1.27 s
    schedule.pass_time(60_000_000)
    assert schedule.plan() <= 10
    assert schedule.first_us == 5_000
    schedule.settle(schedule.last_us)
    assert schedule.made[BASAL] <= 10


def test_one_step_a_grant_at_the_slow_end():
    """0.01 mL/h with the 50 mL syringe: a step every 50 s."""
    pl = 139_976
    schedule = Schedule()
    schedule.configure(pl)
    schedule.start(BASAL, basal_interval(240, 1000, pl))
    assert schedule.plan() == 0
    assert 50_000_000 < schedule.next_due_us() < 51_000_000
    schedule.pass_time(45_000_000)
    assert schedule.plan() == 1
    assert 5_000_000 < schedule.first_us < 6_000_000


def test_duration_grows_at_the_cap():
    """DEL-05: basal + bolus never pass 10 mL/h; the volume stays, the duration grows."""
    usteps = 1_000_000 * 1000 // PL  # 1 mL
    assert shortest_bolus_ms(usteps, PL, 0, 1000) <= 3_600_000
    capped = shortest_bolus_ms(usteps, PL, 24_000, 1000)  # 1 mL/h of basal leaves 9 mL/h
    assert 400_000 - 20 <= capped <= 400_010
    try:
        shortest_bolus_ms(usteps, PL, 240_000, 1000)
    except ValueError:
        return
    raise AssertionError("a bolus beside 10 mL/h of basal was planned")
