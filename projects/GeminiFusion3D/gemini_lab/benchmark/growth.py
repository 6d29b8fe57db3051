"""How cost grows with the size of the input: the slope on a log-log plot, and what would take too long."""
import math
import statistics
from typing import Optional, Sequence, Tuple

Point = Tuple[float, float]


def log_log_slope(points: Sequence[Point]) -> Optional[float]:
    """Returns the exponent p of the power law y ~ x^p that fits best in logarithms; None for one point.

    Args:
        points: (x, y), all positive.
    """
    if len({x for x, _ in points}) < 2:
        return None
    log_x, log_y = zip(*((math.log(x), math.log(y)) for x, y in points))
    return statistics.linear_regression(log_x, log_y).slope


def predicted(points: Sequence[Point], x: float, *, power: float = 1.0) -> Optional[float]:
    """Returns what the next larger x will cost if the growth of the last two points goes on.

    Args:
        points: (x, y) in growing x.
        x: the next size.
        power: the slope for a single point, and the least for more.
    """
    if not points:
        return None
    (last_x, last_y) = points[-1]
    slope = log_log_slope(points[-2:])
    return last_y * (x / last_x) ** (power if slope is None else max(slope, power))
