"""What a conversion left out or masked, by kind: how often, and where first."""
from collections import Counter
from typing import Dict, List


class Findings:
    """Counts what was found in the rows of tables, to be said once at the end.

    Attributes:
        boxes: number of boxes by category of the tables.
        pictures: number of pictures by channel, and under `(channel, 'usable')` of those that geometry can
            use.
        wide_cars: number of cars that are wider than long.
    """

    def __init__(self) -> None:
        self._counts: Counter = Counter()
        self._first: Dict[str, str] = {}
        self.boxes: Counter = Counter()
        self.pictures: Counter = Counter()
        self.wide_cars = 0

    def add(self, what: str, where: str, count: int = 1) -> None:
        """Counts a finding.

        Args:
            what: what was done and why, such as 'boxes left out: no positive size'.
            where: the row, as an example.
            count: how many.
        """
        if count:
            self._first.setdefault(what, where)
            self._counts[what] += count

    def merge(self, other: 'Findings') -> None:
        """Adds what another part of the data gave."""
        for what, count in other._counts.items():
            self.add(what, other._first[what], count)
        self.boxes.update(other.boxes)
        self.pictures.update(other.pictures)
        self.wide_cars += other.wide_cars

    def lines(self) -> List[str]:
        """Returns one line per kind, the most frequent first."""
        return [f'{count} {what}; first: {self._first[what]}' for what, count in self._counts.most_common()]
