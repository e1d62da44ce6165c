"""Monitoring: checks of sensors, line, motion and reservoir, and the alarms."""
