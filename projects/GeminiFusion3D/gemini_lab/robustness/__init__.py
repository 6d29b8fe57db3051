"""Evaluations under conditions: corrupted sensors, silent sensors, test-time augmentation."""
