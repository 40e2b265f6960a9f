"""What scrapes cost: the exporter beside nginx, which sends the same bytes from a file, and beside promhttp, which serves
the same series with client_golang.

Server and client have a core each, where there are two.
"""

import base64
import gzip
import http.client
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import (
    CORES,
    TARGET,
    Configuration,
    Process,
    Serving,
    Simulator,
    free_address,
    get,
    samples,
    total,
    wait_until,
)
from peers import build

ALL = ("security_users", "protected_users", "directory", "partner_center")
USERS = 50
# About 147 series each.
TENANTS = {6_000: 41, 60_000: 408, 300_000: 2_040}
SERVER, CLIENT = CORES[0], CORES[-1]
SECONDS = 4
CONNECTIONS = 8
# As Prometheus asks.
OPEN_METRICS = "application/openmetrics-text;version=1.0.0"
TEXT = "text/plain;version=0.0.4"


def body(address, accept=OPEN_METRICS):
    """The compressed exposition as it is sent, and its type."""
    connection = http.client.HTTPConnection(address, timeout=600)
    connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
    response = connection.getresponse()
    if response.status != 200 or response.headers["Content-Encoding"] != "gzip":
        sys.exit(f"{address} answered {response.status} with {response.headers}")
    return response.read(), response.headers["Content-Type"]


def requests_per_second(wrk, url, seconds, header="User-Agent: wrk"):
    """How often a client on its own core gets the compressed exposition."""
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Accept: {OPEN_METRICS}"]
    command += ["-H", "Accept-Encoding: gzip", "-H", header, f"{url}/metrics"]
    pin = lambda: os.sched_setaffinity(0, {CLIENT})  # noqa: E731
    told = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=pin).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        sys.exit(f"wrk had errors:\n{told}")
    return float(re.search(r"Requests/sec:\s+(\S+)", told)[1])


class Nginx(Process):
    """nginx with one worker, which sends these bytes from a file."""

    def __init__(self, nginx, sent, content_type):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        folder.chmod(0o755)
        (folder / "metrics").write_bytes(sent)
        self.address = free_address()
        (folder / "nginx.conf").write_text(
            f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors;
            {"user root;" if os.geteuid() == 0 else ""} events {{ worker_connections 1024; }}
            http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; open_file_cache max=10;
            server {{ listen {self.address}; root {folder}; default_type "{content_type}"; types {{ }}
            location /metrics {{ add_header Content-Encoding gzip; }} }} }}"""
        )
        super().__init__([nginx, "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "errors"], SERVER)
        wait_until("nginx", lambda: get(f"http://{self.address}/metrics", compressed=True))


class Promhttp(Process):
    """The peer that serves these series with client_golang."""

    def __init__(self, bench, text):
        command, parts = build.promhttp_peer(bench_target())
        bench.note(parts)
        self.series = tempfile.NamedTemporaryFile("w", suffix=".txt")
        # Histograms are left out: a hundred of the exporter's own series.
        families = re.split(r"^(?=# HELP )", text, flags=re.MULTILINE)
        self.series.write("".join(one for one in families if " histogram\n" not in one))
        self.series.flush()
        self.address = free_address()
        super().__init__([*command, f"-exposition={self.series.name}", f"-listen={self.address}"], SERVER)

        def is_up():
            if not self.is_alive():
                sys.exit(f"the promhttp peer ended: {self.stderr()}")
            return "series:" in self.stdout() and get(f"http://{self.address}/metrics")

        wait_until("the promhttp peer", is_up, 600, 0.2)


def bench_target():
    target = TARGET / "bench"
    target.mkdir(parents=True, exist_ok=True)
    return target


class Fleet:
    """The exporter after its first round of about so many series."""

    def __init__(self, series, interval="7d", core=SERVER, tenants=None, lifecycle=False, **simulated):
        self.simulator = Simulator(TENANTS[series], USERS, core=CLIENT, **simulated)
        if tenants is not None:
            self.simulator.tenants = self.simulator.tenants[:tenants]
        self.configuration = Configuration(self.simulator, ALL, interval=interval)
        self.exporter = Serving(self.configuration, core, flags=["--web.enable-lifecycle"] if lifecycle else [])

    def __enter__(self):
        self.exporter.wait_round(len(self.simulator.tenants) * len(ALL))
        # Until the last poll is shown and own series are a second old.
        time.sleep(1.5)
        return self

    def __exit__(self, *_):
        self.exporter.end()
        self.configuration.__exit__()
        self.simulator.end()


def row_scrapes(bench):
    """requests per second, compressed and unchanged, over nginx and promhttp"""
    nginx, wrk, parts = build.nginx_and_wrk()
    bench.note(parts)
    for series, least in ((6_000, 0.4), (60_000, 0.8), (300_000, 0.9)):
        if bench.quick and series > 60_000:
            continue
        found = {"ours": [], "nginx": []}
        with Fleet(series) as fleet:
            sent, content_type = body(fleet.exporter.address)
            text = gzip.decompress(body(fleet.exporter.address, TEXT)[0]).decode()
            with Nginx(nginx, sent, content_type) as file:
                for _ in range(bench.repetitions):
                    found["ours"].append(requests_per_second(wrk, f"http://{fleet.exporter.address}", SECONDS))
                    found["nginx"].append(requests_per_second(wrk, f"http://{file.address}", SECONDS))
            if series == 60_000:
                with Promhttp(bench, text) as peer:
                    found["promhttp"] = [1 / seconds_of_scrape(peer.address) for _ in range(bench.repetitions)]
        middle = {name: statistics.median(values) for name, values in found.items()}
        ratio = middle["ours"] / middle["nginx"]
        what = f"scrapes per second, {series:,} series, unchanged, OpenMetrics with gzip: ours to"
        bench.row(f"{what} nginx with the same bytes in a file", f"≥ {least}", f"{ratio:.2f}", ratio >= least)
        if "promhttp" in middle:
            ratio = middle["ours"] / middle["promhttp"]
            bench.row(f"{what} promhttp", "≥ 1,000", f"{ratio:,.0f}", ratio >= 1_000)
        values = ", ".join(f"{name} {value:,.1f}/s" for name, value in middle.items())
        lines = sum(not line.startswith("#") for line in text.splitlines())
        bench.detail(f"Scrapes: {lines:,} series in {len(sent):,} bytes: {values}.")


def seconds_of_scrape(address):
    start = time.monotonic()
    body(address)
    return time.monotonic() - start


def shown_polls(fleet):
    return total(samples(gzip.decompress(body(fleet.exporter.address)[0]).decode()), "avepoint_collector_polls_total")


def processor_of_polls(fleet, tenants, rounds, scrape):
    """Processor seconds of the exporter for a round of these polls, with one scrape or without."""
    before = fleet.exporter.processor()
    for _ in range(rounds):
        requests = fleet.simulator.stats()["requests"]
        for tenant in tenants:
            connection = http.client.HTTPConnection(fleet.exporter.address, timeout=60)
            connection.request("POST", f"/-/poll?m365_tenant_id={tenant['tenant_id']}")
            if connection.getresponse().status != 202:
                sys.exit("the exporter does not poll")
        expected = requests + len(tenants) * len(ALL)
        wait_until("the polls", lambda: fleet.simulator.stats()["requests"] >= expected, pause=0.05)
        # A poll's figures are shown within this.
        time.sleep(1)
        if scrape:
            body(fleet.exporter.address)
    return (fleet.exporter.processor() - before) / rounds


def row_changed(bench):
    """processor time of showing polls of 1 % of the tenants, over a scrape of promhttp"""
    series, rounds = 60_000, 5 if bench.quick else 20
    number = TENANTS[series] // 100
    with Fleet(series, lifecycle=True) as fleet:
        ids = fleet.simulator.tenants
        some = [ids[at * len(ids) // number] for at in range(number)]
        text = gzip.decompress(body(fleet.exporter.address, TEXT)[0]).decode()
        before = total(samples(text), "avepoint_collector_polls_total")
        whole = processor_of_polls(fleet, some, rounds, scrape=True)
        shown = shown_polls(fleet) - before
    if shown < rounds * number * len(ALL):
        sys.exit(f"only {shown} polls were shown within a second")
    # The same polls where nothing but they is shown, and nobody scrapes.
    with Fleet(series, tenants=number, lifecycle=True) as fleet:
        alone = processor_of_polls(fleet, fleet.simulator.tenants, rounds, scrape=False)
    with Promhttp(bench, text) as peer:
        before = peer.processor()
        for _ in range(5):
            body(peer.address)
        theirs = (peer.processor() - before) / 5
    ratio = theirs / max(whole - alone, 1e-6)
    bench.row(
        f"processor time of showing polls of 1 % of the tenants with one scrape, {series:,} series, over that of a scrape "
        "of promhttp",
        "≤ 1/50",
        f"1/{ratio:.0f}",
        ratio >= 50,
    )
    bench.detail(
        f"Changed: {number} of {len(ids)} tenants × {len(ALL)} listings and a scrape took {whole * 1000:.1f} ms of "
        f"processor time; the same polls in a fleet of these tenants, unscraped, {alone * 1000:.1f} ms; a scrape of "
        f"promhttp {theirs * 1000:.0f} ms (1/{theirs / whole:.0f} with the polls). Each poll was shown within 1 s."
    )


def scrape_times(address, number):
    """Seconds of so many scrapes over one connection."""
    connection = http.client.HTTPConnection(address, timeout=60)
    times = []
    for _ in range(number):
        start = time.monotonic()
        connection.request("GET", "/metrics", headers={"Accept": OPEN_METRICS, "Accept-Encoding": "gzip"})
        connection.getresponse().read()
        times.append(time.monotonic() - start)
        time.sleep(0.005)
    return times


def row_p99(bench):
    """p99 of a scrape while all is polled, over idle"""
    series, number = 60_000, 300 if bench.quick else 1_000
    found = {}
    for name, interval in (("idle", "7d"), ("polling", "10s")):
        with Fleet(series, interval=interval, core=None) as fleet:
            runs = [scrape_times(fleet.exporter.address, number) for _ in range(bench.repetitions)]
        found[name] = statistics.median(sorted(times)[len(times) * 99 // 100] for times in runs)
    ratio = found["polling"] / found["idle"]
    bench.row(
        f"p99 of a scrape while each listing is polled every 10 s, {series:,} series, over idle",
        "≤ 1.2",
        f"{ratio:.2f}",
        ratio <= 1.2,
    )
    values = ", ".join(f"{name} {seconds * 1000:.2f} ms" for name, seconds in found.items())
    bench.detail(f"p99 of {number:,} scrapes over one connection: {values}.")


class Locked(Serving):
    """The exporter behind TLS and a password."""

    USER = "Authorization: Basic " + base64.b64encode(b"bench:bench").decode()
    # Of `bench`, with the cost that htpasswd takes by itself.
    HASH = "$2y$05$abcdefghijklmnopqrstuu9v.wgSpAQwnM0MaCtd.77WoEHF.lu62"

    def __init__(self, configuration, core):
        self.folder = tempfile.TemporaryDirectory()
        folder = Path(self.folder.name)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "key"]
        subprocess.run(
            ["openssl", "req", "-x509", *key, "-out", folder / "cert", "-subj", "/CN=localhost"],
            check=True,
            capture_output=True,
        )
        web = folder / "web.yml"
        web.write_text(
            f"tls_server_config: {{cert_file: cert, key_file: key}}\nbasic_auth_users: {{bench: {self.HASH}}}\n"
        )
        super().__init__(configuration, core, flags=[f"--web.config.file={web}"])

    def is_ready(self):
        return self.is_alive() and self.metrics() is not None

    def metrics(self, compressed=False):
        insecure = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(self.address, timeout=60, context=insecure)
        name, value = self.USER.split(": ")
        try:
            connection.request("GET", "/metrics", headers={name: value})
            response = connection.getresponse()
        except OSError:
            return None
        return response.read().decode() if response.status == 200 else None


def row_tls(bench):
    """requests per second behind TLS and a password, over plain HTTP"""
    _, wrk, parts = build.nginx_and_wrk()
    bench.note(parts)
    for series in (6_000, 60_000):
        with Fleet(series) as fleet:
            locked = Locked(fleet.configuration, SERVER)
            locked.wait_round(len(fleet.simulator.tenants) * len(ALL))
            time.sleep(1.5)
            found = {"plain": [], "locked": []}
            for _ in range(bench.repetitions):
                found["plain"].append(requests_per_second(wrk, f"http://{fleet.exporter.address}", SECONDS))
                found["locked"].append(requests_per_second(wrk, f"https://{locked.address}", SECONDS, Locked.USER))
            locked.end()
        middle = {name: statistics.median(values) for name, values in found.items()}
        ratio = middle["locked"] / middle["plain"]
        bench.row(
            f"scrapes per second, {series:,} series, over connections that stay open: TLS and a password to plain HTTP",
            "≥ 0.7",
            f"{ratio:.2f}",
            ratio >= 0.7,
        )
        bench.detail(f"TLS, {series:,} series: " + ", ".join(f"{name} {one:,.1f}/s" for name, one in middle.items()))


def row_series(bench):
    """memory per series, both formats served, over promhttp"""
    series = 60_000 if bench.quick else 300_000
    found = {"ours": [], "promhttp": []}
    for _ in range(bench.repetitions):
        # With a latency: what a listing takes while it is read is in the row `listing`.
        with Fleet(series, latency="20ms") as fleet:
            for accept in (OPEN_METRICS, TEXT) * 3:
                sent, _ = body(fleet.exporter.address, accept)
            text = gzip.decompress(sent).decode()
            found["ours"].append(fleet.exporter.peak())
        with Promhttp(bench, text) as peer:
            for accept in (OPEN_METRICS, TEXT) * 3:
                body(peer.address, accept)
            found["promhttp"].append(peer.peak())
    lines = sum(not line.startswith("#") for line in text.splitlines())
    middle = {name: statistics.median(values) / lines for name, values in found.items()}
    ratio = middle["ours"] / middle["promhttp"]
    bench.row(
        f"peak memory per series, {series:,} series, three scrapes of each format: ours to promhttp",
        "≤ 0.10",
        f"{ratio:.3f}",
        ratio <= 0.10,
    )
    values = ", ".join(f"{name} {value:,.0f} bytes" for name, value in middle.items())
    bench.detail(f"Memory per series of {lines:,}, with all else that the process holds: {values}.")
