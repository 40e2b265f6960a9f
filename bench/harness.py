"""What the benchmarks and the soak share: the simulator, processes and what the kernel says of them, expositions.

Knows nothing of what is measured.
"""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
EXPORTER = Path(os.environ.get("AVEPOINT_EXPORTER_BIN", TARGET / "release" / "avepoint-exporter"))
TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))

# So long that nothing is polled twice unless somebody says otherwise.
NEVER_AGAIN = "7d"


def need_exporter():
    if not os.access(EXPORTER, os.X_OK):
        sys.exit(f"{EXPORTER} is not there: cargo build --release first")


def wait_until(what, condition, seconds=60.0, pause=0.02):
    """Returns the first true value of the condition."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            sys.exit(f"waited {seconds:.0f} s for {what}, in vain")
        time.sleep(pause)


def free_address():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


def get(url, compressed=False):
    """The body of a page, or nothing when it is not to be had."""
    request = urllib.request.Request(url)
    if compressed:
        request.add_header("Accept-Encoding", "gzip")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            body = response.read()
            is_gzip = response.headers.get("Content-Encoding") == "gzip"
    except (urllib.error.HTTPError, OSError):
        return None
    return (gzip.decompress(body) if is_gzip else body).decode()


class Process:
    """A process that is measured. It is ended when the block is left."""

    def __init__(self, arguments, core=None, echo_errors=False):
        self.output = tempfile.TemporaryFile()
        # To a file, since a pipe that nobody empties would stop it.
        self.errors = None if echo_errors else tempfile.TemporaryFile()
        pin = None if core is None else lambda: os.sched_setaffinity(0, {core})
        self.arguments = list(map(str, arguments))
        self.start = time.monotonic()
        self.started_at = time.time()
        self.process = subprocess.Popen(
            self.arguments, stdout=self.output, stderr=self.errors, preexec_fn=pin, cwd=ROOT
        )
        self.ended = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def stdout(self):
        # By position, since the process shares the file's.
        return os.pread(self.output.fileno(), 1 << 30, 0).decode()

    def stderr(self):
        return os.pread(self.errors.fileno(), 1 << 24, 0).decode(errors="replace") if self.errors else ""

    def _status(self, field):
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024

    def peak(self):
        """The most memory so far, in bytes."""
        return self._status("VmHWM")

    def resident(self):
        """The memory now, in bytes."""
        return self._status("VmRSS")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor(self):
        """Processor seconds so far."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = text.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def is_alive(self):
        return self.ended is None and self.process.poll() is None

    def wait(self):
        """Waits for its end. Returns wall seconds and processor seconds of its whole life."""
        _, status, usage = os.wait4(self.process.pid, 0)
        wall = time.monotonic() - self.start
        self.process.returncode = self.ended = os.waitstatus_to_exitcode(status)
        return wall, usage.ru_utime + usage.ru_stime

    def end(self):
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
            self.wait()


class Simulator(Process):
    """The simulated upstream."""

    def __init__(self, tenants, users, core=None, **options):
        address = free_address()
        options = {"tenants": tenants, "users": users, "listen": address, **options}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if value]
        super().__init__([EXPORTER, "simulate", *flags], core)
        self.url = f"http://{address}"
        self.text = wait_until("the simulator", self._announced)
        # All but the comments, and what is only commented out.
        self.settings = self.text.replace("\n#", "\n")
        self.tenants = [
            {
                "customer_id": customer,
                "tenant_id": tenant,
                "customer_name": json.loads(customer_name),
                "tenant_name": json.loads(tenant_name),
            }
            for customer, tenant, customer_name, tenant_name in re.findall(
                r"customer_id: (\S+), tenant_id: (\S+), customer_name: (\".*?\"), tenant_name: (\".*?\") }",
                self.text,
            )
        ]

    def _announced(self):
        if not self.is_alive():
            sys.exit(f"the simulator ended: {self.stderr()}")
        text = self.stdout()
        complete = text.count("tenant_id:") == int(self._flag("tenants"))
        return complete and text.endswith("}\n") and self.stats() and text

    def _flag(self, name):
        return next(flag.split("=")[1] for flag in self.arguments if flag.startswith(f"--{name}="))

    def _api(self, section):
        """How to reach and sign in to one of the two APIs."""
        part = self.settings.split(f"\n{section}:\n", 1)[1]
        names = ("api_url", "token_url", "client_id", "client_secret")
        return {name: re.search(rf"^ +{name}: (\S+)$", part, re.MULTILINE)[1] for name in names}

    def stats(self):
        """What it was asked so far."""
        text = get(f"{self.url}/simulator/stats")
        return text and json.loads(text)

    def elements(self):
        return self._api("elements")

    def partner_center(self):
        return self._api("partner_center")

    def refresh_token(self):
        return re.search(r"write (\S+) into", self.text)[1]


class Configuration:
    """The exporter's configuration for a simulator, in a folder of its own that goes when the block is left."""

    def __init__(
        self,
        simulator,
        collectors,
        concurrency=16,
        rate=100_000,
        burst=1_000,
        interval=NEVER_AGAIN,
        stale_after="30d",
        elements=None,
        discovery=None,
    ):
        limit = {"requests_per_second": rate, "burst": burst, "max_concurrent_requests": concurrency}
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, "config.yaml")
        names = ("security_users", "protected_users", "directory", "partner_center")
        config = {
            "elements": {**simulator.elements(), "rate_limit": limit, **(elements or {})},
            "collectors": {
                name: {"enabled": name in collectors, "interval": interval, "stale_after": stale_after}
                for name in names
            },
            "tenants": simulator.tenants,
        }
        if "partner_center" in collectors:
            token = Path(self.folder.name, "partner-center.token")
            token.write_text(simulator.refresh_token())
            token.chmod(0o600)
            config["partner_center"] = {
                **simulator.partner_center(),
                "refresh_token_file": str(token),
                "rate_limit": limit,
            }
        if discovery:
            config["discovery"] = discovery
        # JSON is YAML.
        self.path.write_text(json.dumps(config))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()


class Serving(Process):
    """The exporter as it serves."""

    def __init__(self, configuration, core=None, flags=(), **options):
        self.address = free_address()
        flags = [*flags, f"--config.file={configuration.path}", f"--web.listen-address={self.address}", "--log.level=error"]
        super().__init__([EXPORTER, "serve", *flags], core, **options)

    def is_ready(self):
        if not self.is_alive():
            sys.exit(f"the exporter ended: {self.stderr()}")
        return get(f"http://{self.address}/-/ready") is not None

    def wait_round(self, listings):
        """Waits for the first round, and until it shows that each of so many listings was read."""

        def is_over():
            # It is ready after two minutes in any case.
            up = self.is_ready() and total(samples(self.metrics() or ""), "avepoint_collector_up")
            return up == listings

        wait_until("the exporter's first round", is_over, 600, 0.1)

    def metrics(self, compressed=False):
        return get(f"http://{self.address}/metrics", compressed)


SAMPLE = re.compile(r"^([a-z_:]+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-z_0-9]+)="((?:[^"\\]|\\.)*)"')


def samples(text, prefix="avepoint_"):
    """The samples of an exposition, by name and sorted labels."""
    found = {}
    for line in text.splitlines():
        if line.startswith(prefix):
            match = SAMPLE.match(line)
            if match is None:
                sys.exit(f"this is no sample: {line}")
            name, labels, value = match.groups()
            found[name, tuple(sorted(LABEL.findall(labels or "")))] = float(value)
    return found


def total(found, name):
    """The sum of a family."""
    return sum(value for (family, _), value in found.items() if family == name)


def differences(ours, theirs, families):
    """Up to five samples of these families in which two expositions differ."""
    mine, other = ({key: value for key, value in one.items() if key[0] in families} for one in (ours, theirs))
    wrong = sorted(key for key in mine.keys() | other.keys() if mine.get(key) != other.get(key))
    return [
        f"{name}{dict(labels)}: {mine.get((name, labels))} and {other.get((name, labels))}"
        for name, labels in wrong[:5]
    ]


def replace_between(path, marker, text):
    """Puts a text between the two lines of a file that hold this marker."""
    whole = path.read_text()
    begin, end = f"<!-- {marker}: begin -->\n", f"<!-- {marker}: end -->\n"
    if begin not in whole or end not in whole:
        sys.exit(f"{path} lacks the markers {begin.strip()} and {end.strip()}")
    before, after = whole.split(begin, 1)[0], whole.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


def machine():
    """Where and of what this is measured, in two lines."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / (1 << 20)

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    commit = git("rev-parse", "--short", "HEAD") or "unknown"
    if git("status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.lock"):
        commit += " with changes"
    name = model[1] if model else os.uname().machine
    return (
        f"{time.strftime('%Y-%m-%d')}, commit {commit}; {name}, {len(CORES)} cores, {memory:.0f} GiB, "
        f"Linux {os.uname().release}"
    )
