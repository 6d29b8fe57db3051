"""Radar returns become a BEV map: pillars of the model's cells."""
from .radar_branch import RadarBranch

__all__ = ['RadarBranch']
