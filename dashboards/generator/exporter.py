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
        "The health of avepoint-exporter itself: uptime, polls and failures, API latency and rate limits,"
        " credentials, and resource usage. Customer, tenant and own label filter only the polls.",
        "now-6h",
        [
            board.Row("Now", now()),
            board.Row("Polls of the selected tenants", polls()),
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
            "Exporters that Prometheus can scrape",
            "The share of exporters, of those seen within the last day, that Prometheus can scrape. Red:"
            " check the process and its log.",
            f"avg({_up()})",
            unit="percentunit",
            steps=look.SHARE_UP,
            missing="never seen",
        ),
        look.stat(
            "Collectors whose last poll succeeded",
            "The share of the selected tenants' collectors whose last poll succeeded. Below 100 %, the"
            " Fleet dashboard shows which collectors fail, and why.",
            f"avg({q.COLLECTOR_UP})",
            unit="percentunit",
            steps=look.SHARE_UP,
            missing="no polls yet",
        ),
        look.stat(
            "Collectors in quarantine",
            "The selected tenants' collectors in quarantine: the API refuses them, so the exporter polls"
            " them rarely. Grant the permissions.",
            q.total(q.once("avepoint_collector_quarantined", "collector")),
            steps=look.SERIOUS_FROM_ONE,
            missing="no polls yet",
        ),
        look.stat(
            "Signed in with all credentials",
            "Whether the last token request of every credential succeeded. Red: polls fail; see the table"
            " below.",
            f"min({q.own('avepoint_credential_up')})",
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("refused", "red"), "1": ("yes", "green")}),
            missing="not yet",
        ),
        look.stat(
            "Request rate: needed of possible",
            "Required rate as a share of the possible rate, for the API with the highest share. Above 100"
            " % polls are late: lengthen the intervals, or raise the limit if AvePoint allows it.",
            f"max({apis.used()})",
            unit="percentunit",
            decimals=0,
            steps=look.SHARE_USED,
            missing="not known yet",
        ),
        look.stat(
            "Last reload of the configuration",
            "Whether the last reload succeeded. `refused`: the previous configuration is in force, and"
            " the log has the error.",
            f"min({q.own('avepoint_exporter_config_last_reload_successful')})",
            unit="none",
            steps=look.WORKS,
            values=look.value_names({"0": ("refused", "red"), "1": ("in force", "green")}),
        ),
        look.stat(
            "Time since the configuration was read",
            "Time since the last successful reload, for the exporter with the oldest one.",
            f"time() - min({q.own('avepoint_exporter_config_last_reload_success_timestamp_seconds')})",
            unit="s",
        ),
        look.stat(
            "Time since the last start of an exporter",
            "Time since the most recent start of an exporter. An unexpectedly small value means a crash:"
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

    def per_minute(name, of_all=None):
        counter = q.own(f"avepoint_collector_{name}_total", q.TENANT)
        of_all = f"fleet_instance_collector:{of_all or f'avepoint_collector_{name}'}:rate20m"
        rates = q.fleet(counter, of_all, lambda series: f"rate({series}[$__rate_interval])")
        return f"60 * sum by (collector) ({rates})"

    def by_collector(title, description, expression, **options):
        panel = look.lines(title, description, [look.target(expression, "{{collector}}")], **options)
        return look.paint(panel, look.COLLECTORS)

    longest = "avepoint_collector_last_duration_seconds"
    duration = q.own(longest, q.TENANT)
    up = f"avg by (collector) ({q.fleet(q.COLLECTOR_UP, 'fleet_collector:avepoint_collector_up:avg')})"
    failures = q.rate("avepoint_poll_failures_total")
    third, quarter = (8, 7), (6, 7)
    return [
        by_collector(
            "Polls per minute", "Polls completed, successful or not.", per_minute("polls"), unit=look.POLLS, size=third
        ),
        by_collector(
            "Failed polls per minute",
            "Failed polls; they publish nothing. The next panel shows the reasons.",
            # The same failures are also counted without their tenants, which is cheap to record.
            per_minute("failures", of_all="avepoint_poll_failures"),
            unit=look.POLLS,
            size=third,
        ),
        look.lines(
            "Failed polls per minute by reason",
            "Failed polls of all tenants of the selected exporters; `none` means that there were none."
            " `throttled`, `timeout` and `unavailable` are temporary; `forbidden` and `not_found` concern"
            " the customer's permissions.",
            [look.target(q.or_none(f"60 * sum by (reason) ({failures})", "reason"), "{{reason}}")],
            unit=look.POLLS,
            stacked=True,
            size=third,
        ),
        by_collector(
            "Skipped polls per minute",
            "Polls skipped because the previous poll had not ended or the rate limit was exhausted. If"
            " this continues, lengthen the intervals.",
            per_minute("skipped_polls"),
            unit=look.POLLS,
            size=quarter,
        ),
        by_collector(
            "Duration of the longest poll",
            "The longest of the tenants' last polls, including the wait for the rate limit. A poll longer"
            " than its interval is late.",
            f"max by (collector) ({q.fleet(duration, f'fleet_instance_collector:{longest}:max')})",
            unit="s",
            size=quarter,
        ),
        by_collector(
            "Unreadable dates in listings",
            "Dates in the listings of the last successful polls that could not be read and count as missing: figures"
            " by age may be too low. The log has an example.",
            f"sum by (collector) ({q.once('avepoint_collector_unreadable_dates', 'collector')})"
            f" or 0 * {up}",
            size=quarter,
        ),
        by_collector(
            "Collectors whose last poll succeeded",
            "The share of tenants whose last poll succeeded.",
            up,
            unit="percentunit",
            size=quarter,
        ),
    ]


def process():
    """What the exporter uses, and who asks it."""
    third = (8, 7)
    by_instance = "{{instance}}"
    cpu = f"{q.rate('process_cpu_seconds_total')} and on (job, instance) {q.own(BUILD)}"
    scraped = f"and on (job, instance) last_over_time({q.own(BUILD)}[1d])"
    build = tables.table(
        "Versions of the exporters",
        "The version of each exporter.",
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
            "Memory of the exporters",
            "Resident and virtual memory. It grows with the number of users while a listing is read, and"
            " returns to the system afterwards.",
            [
                look.target(q.process("process_resident_memory_bytes"), f"{by_instance} resident"),
                look.target(q.process("process_virtual_memory_bytes"), f"{by_instance} virtual"),
            ],
            unit="bytes",
            size=third,
        ),
        look.lines(
            "Processor cores in use",
            "Processor seconds per second: 1 is one core.",
            [look.target(cpu, by_instance)],
            size=third,
        ),
        look.lines(
            "Threads of the exporters",
            "Threads of the process. It does not grow with tenants.",
            [look.target(q.process("process_threads"), by_instance)],
            size=third,
        ),
        look.lines(
            "Share of file descriptors in use",
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
            "Requests to the exporters per second",
            "Requests to the exporter's pages by page and status. 503 on `metrics` means too many"
            " concurrent scrapes.",
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
            "Share of exporters scraped successfully",
            "`up` of Prometheus, as a mean of the exporters. Below 100 % a scrape failed: see the targets"
            " page of Prometheus.",
            [look.target(_up(), by_instance)],
            unit="percentunit",
            size=third,
        ),
        look.lines(
            "Duration of a scrape",
            "Duration of a scrape. It must stay well below the scrape timeout.",
            [look.target(f"{q.own('scrape_duration_seconds')} {scraped}", by_instance)],
            unit="s",
            size=(12, 7),
        ),
        look.lines(
            "Samples per scrape",
            "Number of series per scrape. It grows with the number of tenants, but should not grow over"
            " time.",
            [look.target(f"{q.own('scrape_samples_scraped')} {scraped}", by_instance)],
            size=(12, 7),
        ),
        build,
        look.lines(
            "Tenants by exporter and state",
            "Tenants that each exporter polls, and tenants that its configuration excludes.",
            [
                look.target(
                    f"sum by (instance, state) ({q.own('avepoint_tenants')})", "{{instance}} {{state}}"
                )
            ],
            size=(8, 7),
        ),
    ]
