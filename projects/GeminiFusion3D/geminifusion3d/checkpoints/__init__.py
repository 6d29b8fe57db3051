"""Checkpoints of other projects become checkpoints of this one's recipes."""
