"""What the dashboards and the recording rules cost a Prometheus that scrapes a thousand tenants.

A real Prometheus scrapes a demo and evaluates the rules. Its figures are then written as its history of two hours, one
sample a minute, and each query of each dashboard is asked as Grafana asks it. Knows nothing of what the queries mean.
"""

import json
import re
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from harness import EXPORTER, ROOT, Process, free_address, get, wait_until

SCRAPE = 60
HISTORY = 2 * 3600
# As many points as a panel of the whole width of a screen has.
POINTS = 960
RECORDED = "tenant:avepoint_tenant_info:max"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(duration):
    return int(duration[:-1]) * SECONDS[duration[-1]]


class Prometheus(Process):
    """A Prometheus with our rules that scrapes one exporter."""

    def __init__(self, folder, exporter):
        self.address, config = free_address(), Path(folder, "prometheus.yml")
        # Each group once a minute, so that there is no wait for the rare ones.
        rules, self.intervals = Path(folder, "rules"), {}
        rules.mkdir(exist_ok=True)
        for path in (ROOT / "rules").glob("*.yml"):
            text = path.read_text()
            self.intervals |= dict(re.findall(r"^  - name: (\S+)\n    interval: (\S+)$", text, re.MULTILINE))
            (rules / path.name).write_text(re.sub(r"^    interval: \S+$", "    interval: 1m", text, flags=re.MULTILINE))
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": "30s"},
                    "rule_files": [str(rules / "*.yml")],
                    "scrape_configs": [{"job_name": "avepoint", "static_configs": [{"targets": [exporter]}]}],
                }
            )
        )
        flags = {
            "config.file": config,
            "storage.tsdb.path": Path(folder, "data"),
            "web.listen-address": self.address,
            "query.max-samples": 500_000_000,
            "query.timeout": "10m",
            "log.level": "error",
        }
        super().__init__(["prometheus", *(f"--{name}={value}" for name, value in flags.items())])
        wait_until("Prometheus", lambda: get(f"http://{self.address}/-/ready"), 120, 0.1)

    def ask(self, path, **parameters):
        """An answer, and the seconds that it took."""
        body = urllib.parse.urlencode(parameters).encode() or None
        start = time.monotonic()
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", body, timeout=900) as response:
            text = response.read()
        return json.loads(text)["data"], time.monotonic() - start

    def series(self, query):
        return self.ask("query", query=query)[0]["result"]

    def groups(self):
        """The groups of rules; nothing while one of them was never evaluated."""
        groups = self.ask("rules")[0]["groups"]
        return all(group["lastEvaluation"] > "0002" for group in groups) and groups


def write_history(names, prometheus, end, folder):
    """Writes what Prometheus has now of these names as its history up to `end`; counters rise in it."""
    text, times = Path(folder, "history.txt"), range(int(end) - HISTORY, int(end), SCRAPE)
    with text.open("w") as file:
        for name in sorted(names):
            rises = name.endswith(("_total", "_bucket", "_sum", "_count"))
            for one in prometheus.series(name):
                labels = ",".join(
                    f"{key}={json.dumps(value, ensure_ascii=False)}"
                    for key, value in one["metric"].items()
                    if key != "__name__"
                )
                value = float(one["value"][1])
                file.writelines(
                    f"{name}{{{labels}}} {value + index if rises else value} {at}\n" for index, at in enumerate(times)
                )
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", text, Path(folder, "data")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    text.unlink()


class Dashboard:
    """What Grafana asks for one dashboard: variables, panels (those of collapsed rows too) and annotations."""

    def __init__(self, path):
        self.json = json.loads(path.read_text())
        self.name = self.json["title"].rpartition(" ")[2]
        self.range = seconds(self.json["time"]["from"].removeprefix("now-"))

    def targets(self):
        rows = self.json["panels"]
        for panel in [*rows, *(panel for row in rows for panel in row.get("panels", []))]:
            for target in panel.get("targets", []):
                yield panel["title"], target

    def over_time(self):
        """The queries over time: title, query, and the smallest step in seconds."""
        for title, target in self.targets():
            if not target.get("instant"):
                yield title, target["expr"], seconds(target.get("interval") or "1s")
        for annotation in self.json["annotations"]["list"]:
            if "expr" in annotation:
                yield annotation["name"], annotation["expr"], seconds(annotation["step"])

    def measure(self, prometheus, end, tenant, as_opened):
        """Seconds and title of each query. As opened, a graph has as many points as its smallest step leaves of the
        dashboard's own time; otherwise each has all of them."""
        values, found = self.values(prometheus, tenant)
        for title, target in self.targets():
            if target.get("instant"):
                found.append((prometheus.ask("query", query=filled(target["expr"], values))[1], title))
        for title, query, smallest in self.over_time():
            step = HISTORY / (min(POINTS, self.range // smallest) if as_opened else POINTS)
            rate = max(4 * SCRAPE, 4 * smallest, step + SCRAPE)
            query = filled(query, values | {"__rate_interval": f"{rate:.0f}s"})
            times = {"start": end - HISTORY, "end": end, "step": step}
            found.append((prometheus.ask("query_range", query=query, **times)[1], title))
        return found

    def values(self, prometheus, tenant):
        """The variables as the dashboard opens, and what asking for their options took."""
        values, found = {}, []
        for variable in self.json["templating"]["list"]:
            if variable["type"] != "query":
                continue
            name, query, options = variable["name"], filled(variable["query"]["query"], values), []
            if query.startswith("query_result("):
                query = query.removeprefix("query_result(").removesuffix(")")
                answer, took = prometheus.ask("query", query=query)
                options = [one["metric"].get("m365_tenant_id", "") for one in answer["result"]]
            else:
                selector = query.removeprefix("label_values(").rpartition(",")[0]
                label = query.rpartition(",")[2].strip(" )")
                _, took = prometheus.ask(f"label/{label}/values?{urllib.parse.urlencode({'match[]': selector})}")
            found.append((took, f"variable {name}"))
            current = variable["current"]["value"]
            values[name] = current if isinstance(current, str) else variable.get("allValue") or "|".join(options)
            if name == "tenant" and tenant:
                values[name] = tenant
        return values, found


def filled(query, values):
    return VARIABLE.sub(lambda match: values[match[1] or match[2]], query)


def names_in(query):
    return set(re.findall(r"[a-z_]+:[a-z_]+:[a-z0-9_]+|\b(?:avepoint|process|scrape)_[a-z_]+|\bup\b", query))


def measure(tenants, users):
    """Seconds and title of each query of each dashboard, as it opens and not; the seconds per minute of the rules by
    their type; and the number of series."""
    boards = [Dashboard(path) for path in sorted((ROOT / "dashboards").glob("*.json"))]
    names = set().union(*(names_in(query) for board in boards for _, query, _ in board.over_time()))
    exporter = free_address()
    demo = [EXPORTER, "demo", f"--tenants={tenants}", f"--users={users}", f"--web.listen-address={exporter}"]
    with tempfile.TemporaryDirectory() as folder, Process([*demo, "--log.level=error"]):
        wait_until("the demo", lambda: get(f"http://{exporter}/-/ready"), 120, 0.5)
        start = time.time()
        with Prometheus(folder, exporter) as prometheus:
            wait_until(
                "the rules", lambda: prometheus.groups() and len(prometheus.series(RECORDED)) == tenants, 300, 2
            )
            tenant = prometheus.series(RECORDED)[0]["metric"]["m365_tenant_id"]
            write_history(names, prometheus, start, folder)
        with Prometheus(folder, exporter) as prometheus:
            wait_until("a scrape", lambda: prometheus.series("avepoint_exporter_build_info"), 120)
            found = {
                (board.name, as_opened): board.measure(
                    prometheus, start, tenant if board.name == "Tenant" else None, as_opened
                )
                for board in boards
                for as_opened in (True, False)
            }
            # The first evaluations read the files, later ones the memory.
            time.sleep(75)
            groups = wait_until("the rules", prometheus.groups, 120, 2)
            series = int(prometheus.series('count({__name__!=""})')[0]["value"][1])
    rules = {"recording": 0.0, "alerting": 0.0}
    for group in groups:
        for rule in group["rules"]:
            rules[rule["type"]] += rule["evaluationTime"] * 60 / seconds(prometheus.intervals[group["name"]])
    return found, rules, series
