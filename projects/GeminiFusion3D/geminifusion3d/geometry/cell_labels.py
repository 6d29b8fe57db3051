"""What a label of a BEV cell can be: 0, 1, or unknown."""

# Neither learned nor scored.
UNKNOWN = 255
