"""The exporter's own health: polls and its process; what it asks of the APIs is in apis.py."""

import apis
import board
import links
import look
import queries as q
import tables

BUILD = "avepoint_exporter_build_info"


def dashboard():
    """The file's text."""
    return board.build(
        links.EXPORTER,
        "The health of avepoint-exporter itself: whether it runs, what it polls and what fails, how the APIs"
        " answer and how fast they may be asked, how it signs in, and what it uses. Customer and tenant limit"
        " the polls only.",
        "now-6h",
        [
            board.Row("Now", now()),
            board.Row("Polls of the chosen tenants", polls()),
            board.Row("APIs", apis.requests()),
            board.Row("Rate limit", apis.limits()),
            board.Row("Signing in", apis.credentials()),
            board.Row("Process and scrapes", process()),
        ],
    )


def now():
    """Whether all is well, in one line."""
    return [
        look.stat(
            "Exporters up",
            "The share of exporters, of those seen within the last day, that Prometheus can scrape. Red: see"
            " whether the process runs, and its log.",
            f"avg({_up()})",
            unit="percentunit",
            steps=look.SHARE_UP,
            missing="never seen",
        ),
        look.stat(
            "Collectors up",
            "The share of the chosen tenants' collectors whose last poll succeeded. Below 100 % the Fleet"
            " dashboard tells which fail, and why.",
            f"avg({q.chosen(q.COLLECTOR_UP)})",
            unit="percentunit",
            steps=look.SHARE_UP,
            missing="no polls yet",
        ),
        look.stat(
            "Quarantined",
            "The chosen tenants' collectors that the upstream refuses, and that are therefore asked seldom."
            " Have the rights granted.",
            q.total(q.once("avepoint_collector_quarantined", "collector")),
            steps=look.SERIOUS_FROM_ONE,
            missing="no polls yet",
        ),
        look.stat(
            "Signed in",
            "Whether the last request of a token succeeded, for all credentials. Red: nothing can be read;"
            " see the table below.",
            f"min({q.own('avepoint_credential_up')})",
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("refused", "red"), "1": ("yes", "green")}),
            missing="not yet",
        ),
        look.stat(
            "Rate limit in use",
            "What the fleet needs to keep its intervals, of what an API can give; the tightest API. Above 100"
            " % polls come late: raise the intervals, or the limit if AvePoint grants one.",
            f"max({apis.used()})",
            unit="percentunit",
            decimals=0,
            steps=look.SHARE_USED,
            missing="not known yet",
        ),
        look.stat(
            "Configuration",
            "Whether the last reading of the configuration succeeded. `refused` means that the one before is"
            " in force: the log says what is wrong.",
            f"min({q.own('avepoint_exporter_config_last_reload_successful')})",
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("refused", "red"), "1": ("in force", "green")}),
        ),
        look.stat(
            "Configuration read",
            "Time since an exporter last read its configuration, the one that did longest ago.",
            f"time() - min({q.own('avepoint_exporter_config_last_reload_success_timestamp_seconds')})",
            unit="s",
        ),
        look.stat(
            "Running for",
            "Time since the exporter that started last did so. A small number that nobody expects is a crash:"
            " see the log.",
            f"time() - max({q.process('process_start_time_seconds')})",
            unit="s",
        ),
    ]


def _up():
    """`up`, of exporters only: of all targets that showed their build within a day."""
    return f"{q.own('up')} and on (job, instance) last_over_time({q.own(BUILD)}[1d])"


def polls():
    """What was polled, and what came of it."""

    def per_minute(name):
        return f"60 * sum by (collector) ({q.chosen(q.rate(f'avepoint_collector_{name}_total'))})"

    def by_collector(title, description, expression, **options):
        panel = look.lines(title, description, [look.target(expression, "{{collector}}")], **options)
        return look.paint(panel, look.COLLECTORS)

    duration = q.chosen(q.own("avepoint_collector_last_duration_seconds"))
    failures = q.rate("avepoint_poll_failures_total")
    third = (8, 7)
    return [
        by_collector(
            "Polls", "Polls that ended, well or badly.", per_minute("polls"), unit=look.POLLS, size=third
        ),
        by_collector(
            "Failed polls",
            "Polls that failed; nothing of such a poll is published. Look at the reasons beside.",
            per_minute("failures"),
            unit=look.POLLS,
            size=third,
        ),
        look.lines(
            "Failed polls by reason",
            "Polls that failed, of all tenants of the chosen exporters; `none` stands for none at all."
            " `throttled`, `timeout` and `unavailable` pass by themselves, `forbidden` and `not_found` are"
            " for the customer's rights.",
            [look.target(q.or_none(f"60 * sum by (reason) ({failures})", "reason"), "{{reason}}")],
            unit=look.POLLS,
            stacked=True,
            size=third,
        ),
        by_collector(
            "Skipped polls",
            "Polls that were left out, since the one before had not ended or the rate limit had no room. If"
            " they go on, raise the intervals.",
            per_minute("skipped_polls"),
            unit=look.POLLS,
            size=third,
        ),
        by_collector(
            "Longest poll",
            "The longest of the tenants' last polls, waiting for the rate limit included. A poll longer than"
            " its interval is late.",
            f"max by (collector) ({duration})",
            unit="s",
            size=third,
        ),
        by_collector(
            "Collectors up",
            "The share of tenants whose last poll succeeded.",
            f"avg by (collector) ({q.chosen(q.COLLECTOR_UP)})",
            unit="percentunit",
            size=third,
        ),
    ]


def process():
    """What the exporter uses, and who asks it."""
    third = (8, 7)
    by_instance = "{{instance}}"
    cpu = f"{q.rate('process_cpu_seconds_total')} and on (job, instance) {q.own(BUILD)}"
    scraped = f"and on (job, instance) last_over_time({q.own(BUILD)}[1d])"
    build = tables.table(
        "Builds",
        "Which version each exporter runs.",
        [("Value", f"max by (instance, version, revision, rustc_version, target_triple) ({q.own(BUILD)})")],
        labels={
            "instance": "Instance",
            "version": "Version",
            "revision": "Revision",
            "rustc_version": "Rust",
            "target_triple": "Target",
        },
        unit="none",
        size=(16, 7),
    )
    tables.drop(build, "Value")
    for name, width in {"Instance": 170, "Version": 90, "Revision": 130, "Rust": 80}.items():
        tables.column(build, name, width=width)
    return [
        look.lines(
            "Memory",
            "Memory in use, and address space. It grows with users while a listing is read, and goes back to"
            " the system after.",
            [
                look.target(q.process("process_resident_memory_bytes"), f"{by_instance} resident"),
                look.target(q.process("process_virtual_memory_bytes"), f"{by_instance} virtual"),
            ],
            unit="bytes",
            size=third,
        ),
        look.lines(
            "Processor",
            "Processor seconds per second: 1 is one core.",
            [look.target(cpu, by_instance)],
            size=third,
        ),
        look.lines(
            "Threads",
            "Threads of the process. It does not grow with tenants.",
            [look.target(q.process("process_threads"), by_instance)],
            size=third,
        ),
        look.lines(
            "File descriptors in use",
            "Open file descriptors as a share of those allowed. Near 100 % connections fail: raise the limit"
            " of the process.",
            [
                look.target(
                    f"{q.own('process_open_fds')} / {q.own('process_max_fds')} and on (job, instance)"
                    f" {q.own(BUILD)}",
                    by_instance,
                )
            ],
            unit="percentunit",
            size=third,
        ),
        look.lines(
            "Requests to the exporter",
            "Requests to the exporter's pages by page and status. 503 on `metrics` means that too many scrape"
            " at once.",
            [
                look.target(
                    f"sum by (handler, code) ({q.rate('avepoint_exporter_http_requests_total')})",
                    "{{handler}} {{code}}",
                )
            ],
            unit="reqps",
            size=third,
        ),
        look.lines(
            "Scrapes that succeed",
            "`up` of Prometheus, as a mean of the exporters. Below 100 % a scrape failed: see the targets"
            " page of Prometheus.",
            [look.target(_up(), by_instance)],
            unit="percentunit",
            size=third,
        ),
        look.lines(
            "Scrape duration",
            "How long Prometheus takes to read the exporter. It must stay well below the scrape timeout.",
            [look.target(f"{q.own('scrape_duration_seconds')} {scraped}", by_instance)],
            unit="s",
            size=(12, 7),
        ),
        look.lines(
            "Samples of a scrape",
            "How many series the exporter shows. It grows with tenants, and should not with time.",
            [look.target(f"{q.own('scrape_samples_scraped')} {scraped}", by_instance)],
            size=(12, 7),
        ),
        build,
        look.lines(
            "Tenants by state",
            "Tenants that each exporter watches, and those that its configuration excludes.",
            [
                look.target(
                    f"sum by (instance, state) ({q.own('avepoint_tenants')})", "{{instance}} {{state}}"
                )
            ],
            size=(8, 7),
        ),
    ]
