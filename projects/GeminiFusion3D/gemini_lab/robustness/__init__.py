"""Evaluations under conditions: corrupted sensors, and sensors that say nothing. Run by two tools."""
