#!/usr/bin/env python3
"""Counts the notifications of an outage over 200 customers, at a real Alertmanager with deploy/alertmanager.yml.

The routes and inhibit rules are the example's; receivers are a local webhook, and groups wait for a second. Nothing
waits for a fixed time: a last alert, posted after the others were notified, marks the end.
"""

import http.server
import json
import queue
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
received = queue.Queue()


class Webhook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def post(base, alerts):
    body = json.dumps([{"labels": alert} for alert in alerts]).encode()
    request = urllib.request.Request(f"{base}/api/v2/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def tenants(name):
    return [
        {"alertname": name, "severity": "warning", "m365_tenant_id": f"t{i}", "customer_id": f"c{i}",
         "psa_id": f"p{i}", "sla": "gold", "collector": "directory"}
        for i in range(200)
    ]


def title(notification):
    """The labels that all of its alerts have: the name, the collector and the time left to a certificate."""
    common = notification["commonLabels"]
    return " ".join(common[label] for label in ("alertname", "collector", "within") if label in common)


def count(config, alerts, expected):
    """The alert names of the notifications up to the last alert's, at an Alertmanager of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "alertmanager.yml").write_text(config, encoding="utf-8")
        process = subprocess.Popen(
            [program, f"--config.file={directory}/alertmanager.yml", f"--storage.path={directory}/data",
             f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="],
            stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    urllib.request.urlopen(f"{base}/-/ready", timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        sys.exit("notifications.py: Alertmanager does not start")
                    time.sleep(0.05)
            post(base, alerts)
            names = []
            while len(names) < expected:
                names.append(title(received.get(timeout=20)))
            post(base, [{"alertname": "AvePointReloadFailed", "severity": "warning", "instance": "last"}])
            while (name := title(received.get(timeout=20))) != "AvePointReloadFailed":
                names.append(name)
            return names
        finally:
            process.terminate()
            process.wait()


def check(config):
    """The configuration with the lines that are comments in the example."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(config)
        file.flush()
        done = subprocess.run(["amtool", "check-config", file.name], capture_output=True, text=True, check=False)
    if done.returncode != 0 or "mute_time_intervals: [maintenance]" not in re.sub("#.*", "", config):
        sys.exit(f"notifications.py: the example of a maintenance window is refused: {done.stderr}")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    text = (ROOT / "deploy" / "alertmanager.yml").read_text(encoding="utf-8").partition("\nreceivers:")[0]
    receivers = "\nreceivers:\n"
    for name in ("operations", "on-call", "tickets"):
        receivers += f"  - name: {name}\n    webhook_configs:\n      - url: http://127.0.0.1:{server.server_port}/\n"
    config = re.sub(r"group_wait: \S+", "group_wait: 1s", text) + receivers
    check(text.replace("# mute_time_intervals:", "mute_time_intervals:") + receivers)
    outage = tenants("AvePointCollectorFailing") + tenants("AvePointDataStale")
    blind = [{"alertname": "AvePointFleetBlind", "severity": "critical", "collector": "directory"}]
    other = [{**alert, "collector": "security_users"} for alert in tenants("AvePointCollectorFailing")[:1]]
    certificate = {"severity": "critical", "job": "avepoint", "instance": "a", "credential": "elements"}
    certificates = [
        {**certificate, "alertname": "AvePointCertificateExpiring", "severity": "warning"},
        {**certificate, "alertname": "AvePointCertificateExpiresSoon", "within": "week"},
        {**certificate, "alertname": "AvePointCertificateExpiresSoon", "within": "day"},
    ]
    for what, alerts, expected in (
        ("an outage over the fleet", blind + outage, ["AvePointFleetBlind directory"]),
        ("an outage over the fleet, and one of a tenant's other collector", blind + outage + other,
         ["AvePointCollectorFailing security_users", "AvePointFleetBlind directory"]),
        ("an outage over a part of the fleet", tenants("AvePointCollectorFailing"), ["AvePointCollectorFailing directory"]),
        ("a certificate that expires within a day", certificates[:], ["AvePointCertificateExpiresSoon day"]),
        ("a certificate that expires within a week", certificates[:2], ["AvePointCertificateExpiresSoon week"]),
        ("a rate limit that is too low",
         [{"alertname": "AvePointRateLimitTooLow", "severity": "warning", "api": "elements"}]
         + tenants("AvePointDataStale"), ["AvePointRateLimitTooLow"]),
    ):
        found = sorted(count(config, alerts, len(expected)))
        if found != expected:
            sys.exit(f"notifications.py: {what} makes {len(found)} notifications {found[:5]}, not {expected}")
        print(f"{what}: {len(alerts)} alerts, {len(found)} {'notification' if len(found) == 1 else 'notifications'}")


main()
