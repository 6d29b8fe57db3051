"""What the judge has to say about a submission: one finding per broken rule and place, grouped by rule."""
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, Iterable, Iterator, List, Tuple

ERROR = 'error'
WARNING = 'warning'
# A file of three million boxes may break a rule as often; so many places show what is wrong.
MAX_LISTED_PER_RULE = 1000
EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place.

    Attributes:
        severity: ERROR makes the submission invalid, WARNING is worth a look.
        rule: short name of the rule, stable across versions.
        message: what was got and what was expected.
        sample_token: the sample concerned, '' for the file as a whole.
        field: where in the JSON, e.g. `results.<token>[3].size`.
        server_refuses: whether the leaderboard's own code (the devkit's loader) stops at it; what it takes
            without a word only shows as a bad score. Of a value that a repeated key replaces it sees nothing.
    """

    severity: str
    rule: str
    message: str
    sample_token: str = ''
    field: str = ''
    server_refuses: bool = False

    def to_dict(self) -> Dict[str, Any]:
        """Returns the finding for JSON output."""
        return asdict(self)

    def __str__(self) -> str:
        where = f' sample {self.sample_token}' if self.sample_token else ''
        return printable(f'{self.severity} [{self.rule}]{where} {self.field}: {self.message}')


def printable(text: str) -> str:
    """Returns text that a terminal can print: keys of anybody's file may hold half a surrogate pair."""
    return ''.join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


@dataclass
class Group:
    """All findings of one rule that are alike in severity and in what the server makes of them.

    Attributes:
        count: how many there are.
        listed: the first of them.
    """

    count: int = 0
    listed: List[Finding] = field(default_factory=list)

    def to_dict(self, max_listed: int) -> Dict[str, Any]:
        """Returns the group for JSON output, with so many of its findings."""
        first = self.listed[0]
        return {'rule': first.rule, 'severity': first.severity, 'count': self.count,
                'findings': [finding.to_dict() for finding in self.listed[:max_listed]]}


class FindingLog:
    """Collects findings by rule: of each the first MAX_LISTED_PER_RULE in full and the rest as a number.

    Attributes:
        listed: the findings in full, in the order in which they came.
        counts: how many there were of each severity, listed or not.
        groups: the findings by rule, severity and whether the server refuses them.
    """

    def __init__(self) -> None:
        self.listed: List[Finding] = []
        self.counts: 'Counter[str]' = Counter()
        self.groups: Dict[Tuple[str, str, bool], Group] = {}

    def extend(self, findings: Iterable[Finding]) -> None:
        """Takes findings in."""
        for finding in findings:
            key = (finding.rule, finding.severity, finding.server_refuses)
            group = self.groups.setdefault(key, Group())
            group.count += 1
            self.counts[finding.severity] += 1
            if group.count <= MAX_LISTED_PER_RULE:
                group.listed.append(finding)
                self.listed.append(finding)


def errors_among(findings: Iterable[Finding]) -> List[Finding]:
    """Returns the findings that make a submission invalid."""
    return [finding for finding in findings if finding.severity == ERROR]


def describe_groups(groups: Iterable[Group], *, max_listed: int = EXAMPLES) -> Iterator[str]:
    """Yields the lines that tell a user what was found: what the server refuses, then our advice."""
    groups = list(groups)
    refused = [group for group in groups if group.listed[0].server_refuses]
    advice = [group for group in groups if not group.listed[0].server_refuses]
    for title, part in (('the server refuses:', refused),
                        ('we advise (the server takes these without a word, the score suffers):', advice)):
        if part:
            yield title
        for group in part:
            shown = group.listed[:max_listed]
            yield f'  {shown[0].severity} [{shown[0].rule}] {group.count} times' if group.count > 1 \
                else f'  {shown[0].severity} [{shown[0].rule}]'
            for finding in shown:
                # A sample that is missing has no place of its own.
                token = f' {finding.sample_token}' if finding.sample_token not in finding.field else ''
                yield printable(f'    {finding.field or "file"}{token}: {finding.message}')
            if group.count > len(shown):
                yield f'    ... and {group.count - len(shown)} more'
