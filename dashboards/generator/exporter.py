"""The exporter's own health: polls, the APIs it asks, how it signs in, and its process."""

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
            board.Row("APIs", apis()),
            board.Row("Rate limit", limits()),
            board.Row("Signing in", credentials()),
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
            values=[look.value_names({"0": ("refused", "red"), "1": ("yes", "green")})],
            missing="not yet",
        ),
        look.stat(
            "Rate limit in use",
            "What the fleet needs to keep its intervals, of what an API can give; the tightest API. Above 100"
            " % polls come late: raise the intervals, or the limit if AvePoint grants one.",
            f"max({_used()})",
            unit="percentunit",
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
            values=[look.value_names({"0": ("refused", "red"), "1": ("in force", "green")})],
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


def _used():
    required, capacity = (
        q.own(f"avepoint_api_{what}_requests_per_second") for what in ("required", "capacity")
    )
    return f"{required} / {capacity}"


def polls():
    """What was polled, and what came of it."""

    def per_second(name):
        return f"sum by (collector) ({q.chosen(q.rate(f'avepoint_collector_{name}_total'))})"

    def by_collector(title, description, expression, **options):
        panel = look.lines(title, description, [look.target(expression, "{{collector}}")], **options)
        return look.paint(panel, look.COLLECTORS)

    duration = q.chosen(q.own("avepoint_collector_last_duration_seconds"))
    failures = q.rate("avepoint_poll_failures_total")
    third = (8, 7)
    return [
        by_collector(
            "Polls", "Polls that ended, well or badly.", per_second("polls"), unit="ops", size=third
        ),
        by_collector(
            "Failed polls",
            "Polls that failed; nothing of such a poll is published. Look at the reasons beside.",
            per_second("failures"),
            unit="ops",
            size=third,
        ),
        look.lines(
            "Failed polls by reason",
            "Polls that failed, of all tenants of the chosen exporters; `none` stands for none at all."
            " `throttled`, `timeout` and `unavailable` pass by themselves, `forbidden` and `not_found` are"
            " for the customer's rights.",
            [look.target(q.or_none(f"sum by (reason) ({failures})", "reason"), "{{reason}}")],
            unit="ops",
            stacked=True,
            size=third,
        ),
        by_collector(
            "Skipped polls",
            "Polls that were left out, since the one before had not ended or the rate limit had no room. If"
            " they go on, raise the intervals.",
            per_second("skipped_polls"),
            unit="ops",
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


def apis():
    """What was asked of the APIs, and how they answered."""
    requests = q.rate("avepoint_api_requests_total")
    throttled = q.rate("avepoint_api_requests_total", 'code="429"')
    seconds = "avepoint_api_request_duration_seconds"
    spent, counted = q.rate(f"{seconds}_sum"), q.rate(f"{seconds}_count")

    def by_api(title, description, expression, **options):
        panel = look.lines(title, description, [look.target(expression, "{{api}}")], **options)
        return look.paint(panel, look.APIS)

    def latency(share, title):
        return look.lines(
            title,
            f"The time that {share:.0%} of the requests stay below, by route. Gaps are times without a"
            " request.",
            [look.target(q.quantile(share, seconds, "route"), "{{route}}")],
            unit="s",
            size=(8, 9),
        )

    return [
        look.lines(
            "Requests",
            "Requests by API and status of the answer, each try for itself; `none` is no answer at all. 401"
            " and 403 are for the credentials, 429 for the rate limit, 5xx for AvePoint or Microsoft.",
            [look.target(f"sum by (api, code) ({requests})", "{{api}} {{code}}")],
            unit="reqps",
        ),
        by_api(
            "Throttled requests",
            "Answers 429. The exporter slows down by itself; if they go on, lower the rate limit in the"
            " configuration, or ask who else uses the same credentials.",
            f"sum by (api) ({throttled}) or 0 * sum by (api) ({requests})",
            unit="reqps",
        ),
        latency(0.5, "Latency, median"),
        latency(0.95, "Latency, 95th percentile"),
        latency(0.99, "Latency, 99th percentile"),
        by_api(
            "Mean latency",
            "The mean time of a request, by API. The exporter's estimate of what the API can give rests"
            " on it.",
            f"sum by (api) ({spent}) / (sum by (api) ({counted}) > 0)",
            unit="s",
            size=(8, 7),
        ),
        look.lines(
            "Retries by reason",
            "Further tries of requests whose first one failed; `none` stands for none at all.",
            [
                look.target(
                    q.or_none(f"sum by (reason) ({q.rate('avepoint_api_retries_total')})", "reason"),
                    "{{reason}}",
                )
            ],
            unit="reqps",
            stacked=True,
            size=(8, 7),
        ),
        by_api(
            "Bytes of answers",
            "Bytes of answers after decompression.",
            f"sum by (api) ({q.rate('avepoint_api_response_bytes_total')})",
            unit="Bps",
            size=(8, 7),
        ),
    ]


def limits():
    """How fast the APIs may be asked, and whether that is enough."""
    what = {
        "rate_limit": ("limit in force", "blue"),
        "capacity": ("possible", "green"),
        "required": ("needed", "orange"),
    }
    used = look.lines(
        "Rate limit in use",
        "What the tenants need to keep their intervals, of what is possible, by API. Above 100 % polls come"
        " late and figures grow old: raise the intervals, or the limit if AvePoint grants one.",
        [look.target(f"max by (api) ({_used()})", "{{api}}")],
        unit="percentunit",
        steps=[(None, "transparent"), (1, "red")],
        size=(12, 8),
    )
    rates = look.lines(
        "Requests per second: limit, possible, needed",
        "What the tenants need, what is possible (the configured rate, or less where answers are slow), and"
        " the limit in force, which falls when the API throttles and recovers by itself.",
        [
            look.target(
                f"sum by (api) ({q.own(f'avepoint_api_{name}_requests_per_second')})", f"{{{{api}}}}: {text}"
            )
            for name, (text, _) in what.items()
        ],
        unit="reqps",
        size=(12, 8),
    )
    waiting = look.lines(
        "Waiting for the rate limit",
        "How many requests wait for their turn, on average. It grows when polls fall together, and stays when"
        " the fleet does not fit its limit.",
        [look.target(f"sum by (api) ({q.rate('avepoint_api_rate_limit_wait_seconds_total')})", "{{api}}")],
        size=(12, 7),
    )
    flight = look.lines(
        "Requests in flight",
        "Requests that are sent and not answered yet.",
        [look.target(f"sum by (api) ({q.own('avepoint_api_requests_in_flight')})", "{{api}}")],
        size=(12, 7),
    )
    return [
        look.paint(panel, look.APIS) if panel is not rates else panel
        for panel in (used, rates, waiting, flight)
    ]


def credentials():
    """What the exporter proves itself with, and for how long."""

    def left(metric):
        return f"min by (instance, credential) ({q.own(metric)}) - time()"

    up = f"min by (instance, credential) ({q.own('avepoint_credential_up')})"
    rotated = (
        f"max by (instance, credential) ({q.own('avepoint_refresh_token_last_rotation_timestamp_seconds')})"
    )
    panel = tables.table(
        "Credentials",
        "What each exporter signs in with. An access token is renewed by itself before it ends. A refresh"
        " token that is not renewed for 90 days is dead: sign in anew before. A certificate that ends has to"
        " be replaced, at the API too. What a credential does not have stays empty.",
        [
            ("Last token request", up),
            ("Access token ends in", left("avepoint_access_token_expiry_timestamp_seconds")),
            ("Age of refresh token", f"time() - {rotated}"),
            ("Certificate ends in", left("avepoint_client_certificate_expiry_timestamp_seconds")),
        ],
        labels={"instance": "Instance", "credential": "Credential"},
        unit="s",
        size=(24, 6),
    )
    works = [look.value_names({"0": ("refused", "red"), "1": ("succeeded", "green")})]
    tables.column(panel, "Last token request", unit="none", values=works)
    tables.column(panel, "Access token ends in", unit="s", steps=[(None, "red"), (60, "green")])
    tables.column(
        panel,
        "Age of refresh token",
        unit="s",
        steps=[(None, "green"), (60 * 86400, "yellow"), (80 * 86400, "red")],
    )
    tables.column(
        panel,
        "Certificate ends in",
        unit="s",
        steps=[(None, "red"), (14 * 86400, "yellow"), (30 * 86400, "green")],
    )
    failures = f"sum by (credential, reason) ({q.rate('avepoint_token_request_failures_total')})"
    return [
        panel,
        look.lines(
            "Token requests",
            "Requests of a token, each with its retries as one. A healthy exporter asks about once an hour.",
            [
                look.target(
                    f"sum by (credential) ({q.rate('avepoint_token_requests_total')})", "{{credential}}"
                )
            ],
            unit="reqps",
            size=(12, 7),
        ),
        look.lines(
            "Failed token requests",
            "Requests of a token that failed; `none` stands for none at all. `invalid_client` and"
            " `invalid_grant` need you: the secret, certificate or refresh token is wrong or too old.",
            [look.target(q.or_none(failures, "reason"), "{{credential}} {{reason}}")],
            unit="reqps",
            size=(12, 7),
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
        look.stat(
            "Tenants watched",
            "Tenants that all chosen exporters watch, each exporter's own; two that watch the same tenant"
            " count twice here.",
            "sum(" + q.own("avepoint_tenants", 'state="active"') + ")",
            size=(8, 7),
        ),
    ]
