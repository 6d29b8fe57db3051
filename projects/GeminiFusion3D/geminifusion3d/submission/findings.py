"""What a validator has to say about a submission, one finding per broken rule."""
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Dict, Iterable, List

ERROR = 'error'
WARNING = 'warning'
# A file of three million boxes may break a rule as often; so many places show what is wrong.
MAX_LISTED_PER_RULE = 1000


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place.

    Attributes:
        severity: ERROR makes the submission invalid, WARNING is worth a look.
        rule: short name of the rule, stable across versions.
        message: what was got and what was expected.
        sample_token: the sample concerned, '' for the file as a whole.
        field: where in the JSON, e.g. `results.<token>[3].size`.
    """

    severity: str
    rule: str
    message: str
    sample_token: str = ''
    field: str = ''

    def to_dict(self) -> Dict[str, str]:
        """Returns the finding for JSON output."""
        return asdict(self)

    def __str__(self) -> str:
        where = f' sample {self.sample_token}' if self.sample_token else ''
        text = f'{self.severity} [{self.rule}]{where} {self.field}: {self.message}'
        # Keys of anybody's file may hold what a terminal cannot print, half a surrogate pair among it.
        return ''.join(character if character.isprintable() else ascii(character)[1:-1]
                       for character in text)


class FindingLog:
    """Collects findings, of each rule the first few in full and the rest as a number.

    Args:
        max_listed: how many of each rule are kept.

    Attributes:
        listed: those that are kept, in the order in which they came.
        unlisted: how many of each rule were only counted.
        counts: how many there were of each severity.
    """

    def __init__(self, *, max_listed: int = MAX_LISTED_PER_RULE) -> None:
        self._max_listed = max_listed
        self._seen: Counter = Counter()
        self.listed: List[Finding] = []
        self.unlisted: Counter = Counter()
        self.counts: Counter = Counter()

    def extend(self, findings: Iterable[Finding]) -> None:
        """Takes findings in."""
        for finding in findings:
            self._seen[finding.rule] += 1
            self.counts[finding.severity] += 1
            if self._seen[finding.rule] <= self._max_listed:
                self.listed.append(finding)
            else:
                self.unlisted[finding.rule] += 1


def errors_among(findings: Iterable[Finding]) -> List[Finding]:
    """Returns the findings that make a submission invalid."""
    return [finding for finding in findings if finding.severity == ERROR]
