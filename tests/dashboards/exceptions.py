"""Where a rule is rightly broken, each with the reason. One that excuses nothing is an error."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Excuse:
    """Excuses the findings of a rule whose subject, which is a series, matches."""

    rule: str
    subject: str
    reason: str

    def excuses(self, finding):
        """Whether it is about this finding."""
        return self.rule == finding.rule and re.fullmatch(self.subject, finding.subject) is not None


RECORDED = r"(tenant|fleet)\w*:\w+:\w+"

EXCEPTIONS = [
    Excuse(
        rule,
        RECORDED,
        "a recorded series is of one tenant, whichever exporter sees it, and has neither job nor instance; "
        "the rule recorded-series-are-chosen holds that a join limits it",
    )
    for rule in ("target-job-rule", "target-instance-rule")
] + [
    Excuse(rule, "ALERTS", "an alert about a tenant or a customer has neither job nor instance")
    for rule in ("target-job-rule", "target-instance-rule")
]


def apply(findings, exceptions):
    """The findings that nothing excuses, and the exceptions that excuse nothing."""
    left = [each for each in findings if not any(exception.excuses(each) for exception in exceptions)]
    idle = [each for each in exceptions if not any(each.excuses(finding) for finding in findings)]
    return left, idle
