"""What a validator has to say about a submission, one finding per broken rule."""
from dataclasses import asdict, dataclass
from typing import Dict, Iterable, List

ERROR = 'error'
WARNING = 'warning'


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
        return f'{self.severity} [{self.rule}]{where} {self.field}: {self.message}'


def errors_among(findings: Iterable[Finding]) -> List[Finding]:
    """Returns the findings that make a submission invalid."""
    return [finding for finding in findings if finding.severity == ERROR]
