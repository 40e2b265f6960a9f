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
            f"{share:.0%} of the requests are faster than this, by route. Gaps of up to an hour without"
            " requests are bridged.",
            [look.target(f"{q.quantile(share, seconds, 'route')} >= 0", "{{route}}")],
            unit="s",
            gaps=True,
            size=(12, 12),
        )

    return [
        look.lines(
            "API requests per second by status",
            "Requests by API and response status, counting each attempt; `none` means no response. Check"
            " credentials for 401 and 403, the rate limit for 429, AvePoint or Microsoft for 5xx.",
            [look.target(f"sum by (api, code) ({asked})", "{{api}} {{code}}")],
            unit="reqps",
        ),
        by_api(
            "Throttled API requests per second",
            "Responses with 429. The exporter slows down automatically; if they continue, lower the rate"
            " limit in the configuration, or check who else uses the same credentials.",
            f"sum by (api) ({throttled}) or 0 * sum by (api) ({asked})",
            unit="reqps",
        ),
        latency(0.5, "Duration of API requests, median"),
        latency(0.95, "Duration of API requests, 95th percentile"),
        latency(0.99, "Duration of API requests, 99th percentile"),
        by_api(
            "Duration of API requests, mean",
            "The mean duration of a request, by API. The exporter uses it to estimate the possible rate.",
            f"sum by (api) ({spent}) / (sum by (api) ({counted}) > 0)",
            unit="s",
            gaps=True,
            size=(12, 12),
        ),
        look.lines(
            "API retries per second by reason",
            "Retries of failed requests; `none` means that there were none.",
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
            "Bytes of API responses per second",
            "Bytes of responses after decompression.",
            f"sum by (api) ({q.rate('avepoint_api_response_bytes_total')})",
            unit="Bps",
            size=(12, 7),
        ),
    ]


def limits():
    """How fast the APIs may be asked, and whether that is enough."""
    what = {"rate_limit": "limit in force", "capacity": "possible", "required": "needed"}
    share = look.lines(
        "Request rate by API: needed of possible",
        "Required rate as a share of the possible rate, by API. Above 100 % polls are late and figures go"
        " stale: lengthen the intervals, or raise the limit if AvePoint allows it.",
        [look.target(f"max by (api) ({used()})", "{{api}}")],
        unit="percentunit",
        steps=[(None, "transparent"), (1, "red")],
        size=(12, 8),
    )
    rates = look.lines(
        "API requests per second: limit, possible, needed",
        "The rate that the tenants need, the possible rate (the configured rate, or less if responses are"
        " slow), and the current limit, which falls when the API throttles and recovers automatically.",
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
        "Requests waiting for the rate limit",
        "Average number of requests that wait for the rate limit. It rises when many polls are due at the"
        " same time, and stays high when the rate limit is too low.",
        [look.target(f"sum by (api) ({q.rate('avepoint_api_rate_limit_wait_seconds_total')})", "{{api}}")],
        size=(12, 7),
    )
    flight = look.lines(
        "API requests without a response yet",
        "Requests sent without a response yet.",
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
        "State of the exporters' credentials",
        "The credentials of each exporter. The exporter renews an access token before it expires. A"
        " refresh token expires if it is not renewed for 90 days: consent again before that. Replace a"
        " certificate before it expires, at the API too. Cells are empty if a credential has no such"
        " part.",
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
            "Token requests per second",
            "Token requests; a request and its retries count once. A healthy exporter sends about one per"
            " hour.",
            [
                look.target(
                    f"sum by (credential) ({q.rate('avepoint_token_requests_total')})", "{{credential}}"
                )
            ],
            unit="reqps",
            size=(12, 7),
        ),
        look.lines(
            "Failed token requests per second by reason",
            "Failed token requests; `none` means that there were none. `invalid_client` and"
            " `invalid_grant` need you: the secret, certificate or refresh token is wrong or has expired.",
            [look.target(q.or_none(failures, "reason"), "{{credential}} {{reason}}")],
            unit="reqps",
            size=(12, 7),
        ),
    ]
