"""A day of `simglucose`, set up as in its documentation; prints the seconds of the simulation alone."""

import time
from datetime import datetime, timedelta

from simglucose.actuator.pump import InsulinPump
from simglucose.controller.basal_bolus_ctrller import BBController
from simglucose.patient.t1dpatient import T1DPatient
from simglucose.sensor.cgm import CGMSensor
from simglucose.simulation.env import T1DSimEnv
from simglucose.simulation.scenario import CustomScenario
from simglucose.simulation.sim_engine import SimObj

begin = datetime(2026, 1, 5)
meals = CustomScenario(start_time=begin, scenario=[(7, 45), (12, 70), (16, 15), (18, 80), (23, 10)])
patient, sensor = T1DPatient.withName("adolescent#001"), CGMSensor.withName("Dexcom", seed=1)
env = T1DSimEnv(patient, sensor, InsulinPump.withName("Insulet"), meals)
day = SimObj(env, BBController(), timedelta(days=1), animate=False)

began_s = time.perf_counter()
day.simulate()
print(time.perf_counter() - began_s)
