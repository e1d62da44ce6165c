"""Pumps on the simulated board, and the clinics, files and scenarios that they are given."""
