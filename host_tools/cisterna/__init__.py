"""Cisterna: host tools for an open intrathecal PCA pump. Research and bench use only."""

__version__ = "0.1.0"
