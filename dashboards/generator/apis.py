"""What the exporter asks of AvePoint and Microsoft: requests, the rate limit, and how it signs in."""

import look
import queries as q
import tables


def used():
    """What is needed of what is possible."""
    required, capacity = (
        q.own(f"avepoint_api_{what}_requests_per_second") for what in ("required", "capacity")
    )
    return f"{required} / {capacity}"


def requests():
    """What was asked of the APIs, and how they answered."""
    asked = q.rate("avepoint_api_requests_total")
    throttled = q.rate("avepoint_api_requests_total", 'code="429"')
    seconds = "avepoint_api_request_duration_seconds"
    spent, counted = q.rate(f"{seconds}_sum"), q.rate(f"{seconds}_count")

    def by_api(title, description, expression, **options):
        panel = look.lines(title, description, [look.target(expression, "{{api}}")], **options)
        return look.paint(panel, look.APIS)

    def latency(share, title):
        return look.lines(
            title,
            f"The time that {share:.0%} of the requests stay below, by route. Times without a"
            " request are bridged, up to an hour.",
            [look.target(f"{q.quantile(share, seconds, 'route')} >= 0", "{{route}}")],
            unit="s",
            gaps=True,
            size=(12, 12),
        )

    return [
        look.lines(
            "Requests",
            "Requests by API and status of the answer, each try for itself; `none` is no answer at all. 401"
            " and 403 are for the credentials, 429 for the rate limit, 5xx for AvePoint or Microsoft.",
            [look.target(f"sum by (api, code) ({asked})", "{{api}} {{code}}")],
            unit="reqps",
        ),
        by_api(
            "Throttled requests",
            "Answers 429. The exporter slows down by itself; if they go on, lower the rate limit in the"
            " configuration, or ask who else uses the same credentials.",
            f"sum by (api) ({throttled}) or 0 * sum by (api) ({asked})",
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
            gaps=True,
            size=(12, 12),
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
            size=(12, 7),
        ),
        by_api(
            "Bytes of answers",
            "Bytes of answers after decompression.",
            f"sum by (api) ({q.rate('avepoint_api_response_bytes_total')})",
            unit="Bps",
            size=(12, 7),
        ),
    ]


def limits():
    """How fast the APIs may be asked, and whether that is enough."""
    what = {"rate_limit": "limit in force", "capacity": "possible", "required": "needed"}
    share = look.lines(
        "Rate limit in use",
        "What the tenants need to keep their intervals, of what is possible, by API. Above 100 % polls come"
        " late and figures grow old: raise the intervals, or the limit if AvePoint grants one.",
        [look.target(f"max by (api) ({used()})", "{{api}}")],
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
            for name, text in what.items()
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
    for panel in (share, waiting, flight):
        look.paint(panel, look.APIS)
    return [share, rates, waiting, flight]


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
    works = look.value_names({"0": ("refused", "red"), "1": ("succeeded", "green")})
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
