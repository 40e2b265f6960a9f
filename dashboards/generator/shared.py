"""Panels that several dashboards show, of the tenants that are chosen."""

import look
import queries as q
import tables

# What the exposure of users is told by, beside the modules.
_ANY = "Any module"
_UNLISTED = "Not listed"


def at_risk(size=(12, 8)):
    """Users at risk over time: the grave findings apart, which are few."""
    described = (
        "Users with each finding, from AvePoint's listing of users at risk. A user with several findings"
        " counts in each. A step in all findings at the same time means that a listing was withdrawn or"
        " came back; check the age of the figures."
    )
    return [
        _by_status("Users at high and medium risk", described, q.where(q.AT_RISK, q.GRAVE), size),
        _by_status("Users with other findings", described + look.ABOUT_MFA, q.where(q.AT_RISK, q.OTHER), size),
    ]


def exposed(size=(12, 8)):
    """Exposed users over time: the grave findings apart, which are few."""
    described = (
        "Users at risk without full backup: they are missing from AvePoint's backup listing, list no"
        " module, or list an unprotected module. If an attacker takes over such an account, data may be"
        " lost for good: protect these users first."
    )
    return [
        _by_status("Users at high and medium risk without full backup", described, q.where(q.EXPOSED, q.GRAVE), size),
        _by_status(
            "Users with other findings without full backup",
            described + look.ABOUT_MFA,
            q.where(q.EXPOSED, q.OTHER),
            size,
        ),
    ]


def _by_status(title, description, series, size):
    panel = look.lines(title, description, [look.target(q.total(series, "status"), "{{status}}")], size=size)
    return look.paint(panel, look.STATUSES)


def exposure_matrix(size=(12, 9)):
    """Exposed users by finding and by what is not backed up."""
    parts = [
        f'label_replace({q.total(q.EXPOSED, "status")}, "module", "{_ANY}", "", "")',
        q.total(q.EXPOSED_BY_MODULE, "status, module"),
        f'label_replace({q.total(q.EXPOSED_UNLISTED, "status")}, "module", "{_UNLISTED}", "", "")',
    ]
    return tables.matrix(
        "Users at risk and not backed up, by finding and module",
        "Users with each finding whose mailbox or OneDrive is listed but not protected, and users who are"
        f" not in the backup listing at all. “{_ANY}” counts each user once." + look.ABOUT_MFA,
        " or ".join(parts),
        "status",
        "module",
        _ANY,
        row_names=look.STATUSES,
        across_names=look.MODULES,
        steps=look.SERIOUS_FROM_ONE,
        size=size,
    )


def protected_share(size=(8, 8)):
    """The protected share of each module."""
    protected = q.total(q.where(q.BY_MODULE, 'protected="true"'), "module")
    panel = look.bars(
        "Share of protected users by module",
        "Protected share of the users who list a module. Red below 80 %, yellow below 95 %: assign backup"
        " to the others in AvePoint, or remove them from the plan.",
        [look.target(f"{protected} / ({q.total(q.BY_MODULE, 'module')} > 0)", "{{module}}", instant=True)],
        unit="percentunit",
        steps=look.SHARE_PROTECTED,
        most=1,
        missing="no protected users were read",
        size=size,
    )
    return look.name(panel, look.MODULES)


def unprotected(size=(8, 8)):
    """Users with an unprotected module, over time."""
    panel = look.lines(
        "Users with an unprotected mailbox or OneDrive",
        "Users with an unprotected mailbox or OneDrive, from AvePoint's backup listing. It rises when new"
        " users are not in any backup plan.",
        [look.target(q.total(q.where(q.BY_MODULE, 'protected="false"'), "module"), "{{module}}")],
        size=size,
    )
    return look.paint(panel, look.MODULES)


def coverage(size=(8, 8)):
    """Users by how much of theirs is backed up, over time."""
    panel = look.lines(
        "Users fully, partly or not backed up",
        "Users in AvePoint's backup listing, by how many of their modules are protected: all, some, or"
        " none. Red and yellow should shrink.",
        [look.target(q.total(q.COVERAGE, "coverage"), "{{coverage}}")],
        stacked=True,
        size=size,
    )
    return look.paint(panel, look.COVERAGES)
