"""Whose documents the pump accepts, and who may command it over the link."""
