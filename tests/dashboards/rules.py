"""What a rule is: a function with a name that looks at all dashboards and tells what it finds."""

import dataclasses

# All rules by name, in the order in which they are written down.
RULES = {}


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something that breaks a rule, where, and what an exception would name."""

    dashboard: str
    place: str
    message: str
    subject: str = ""
    rule: str = ""

    def __str__(self):
        return f"{self.rule}: {self.dashboard}, {self.place}: {self.message}"


def rule(name):
    """Makes a generator of findings a rule of that name."""

    def register(function):
        def check(dashboards):
            return [dataclasses.replace(finding, rule=name) for finding in function(dashboards)]

        check.__doc__ = function.__doc__
        RULES[name] = check
        return check

    return register
