"""The units that Grafana knows, those of them that fit what is measured here."""

UNITS = {
    # Numbers.
    "none",
    "short",
    "locale",
    "percent",
    "percentunit",
    # Sizes.
    "bytes",
    "decbytes",
    "Bps",
    "binBps",
    # Times.
    "ms",
    "s",
    "m",
    "h",
    "d",
    "dtdurations",
    "dthms",
    "dtdhms",
    "dateTimeAsIso",
    "dateTimeAsLocal",
    "dateTimeAsSystem",
    "dateTimeFromNow",
    # Rates.
    "hertz",
    "ops",
    "reqps",
    "rps",
    "cps",
    "iops",
    # Yes or no.
    "bool",
    "bool_yes_no",
    "bool_on_off",
}
