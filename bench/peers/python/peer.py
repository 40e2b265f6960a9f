#!/usr/bin/env python3
"""A peer for the benchmark: polls each tenant's listings once, counts and joins, and serves the figures.

Written as a careful user would, with asyncio, aiohttp and prometheus_client. Nothing of a tenant is kept once it is
counted. It knows the collectors security_users and protected_users.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter

import aiohttp
from prometheus_client import CollectorRegistry, Gauge, start_http_server

TRIES = 5
TIMEOUT = aiohttp.ClientTimeout(total=30)
# A token is renewed so many seconds before it ends.
RENEW_AHEAD = 60
SCOPE = "elements.um.user.read.all elements.cbprotected.read.all"

STATUSES = (
    "mfa_disabled",
    "sign_in_blocked",
    "password_expired",
    "high_risk",
    "medium_risk",
    "compliance",
    "inactive",
    "pending_deletion",
    "test_user",
)
MODULES = {0: "mailbox", 2: "onedrive"}

registry = CollectorRegistry()


def gauge(name, text, *labels):
    return Gauge(name, text, ("m365_tenant_id", "m365_tenant_name", *labels), registry=registry)


SECURITY = gauge("avepoint_security_users", "Distinct users in the security listing.")
BY_STATUS = gauge("avepoint_security_users_by_status", "Users with this finding.", "status")
BACKUP = gauge("avepoint_backup_users", "Distinct users in the backup listing.")
BY_MODULE = gauge("avepoint_backup_users_by_module", "Users that list this module.", "module", "protected")
BY_COVERAGE = gauge("avepoint_backup_users_by_coverage", "Users by how many modules are protected.", "coverage")
EXPOSED = gauge("avepoint_exposed_users", "Users at risk who are not fully backed up.", "status")
EXPOSED_BY_MODULE = gauge(
    "avepoint_exposed_users_by_module", "Those whose module is not protected.", "status", "module"
)
UNLISTED = gauge("avepoint_exposed_unlisted_users", "Those who are not in the backup listing.", "status")


def status_name(code):
    return STATUSES[code] if 0 <= code < len(STATUSES) else f"unknown_{code}"


def module_name(code):
    return MODULES.get(code) or f"unknown_{code}"


class Client:
    """Asks the API with a token that it renews."""

    def __init__(self, config, session):
        self.api = config["elements"]
        self.page_size = config["page_size"]
        self.session = session
        self.token = None
        self.expires = 0.0
        self.lock = asyncio.Lock()

    async def bearer(self, refused=None):
        async with self.lock:
            if self.token is None or self.token == refused or time.monotonic() >= self.expires:
                form = {
                    "grant_type": "client_credentials",
                    "client_id": self.api["client_id"],
                    "client_secret": self.api["client_secret"],
                    "scope": SCOPE,
                }
                async with self.session.post(self.api["token_url"], data=form) as response:
                    response.raise_for_status()
                    answer = await response.json()
                self.token = answer["access_token"]
                self.expires = time.monotonic() + answer["expires_in"] - RENEW_AHEAD
            return self.token

    async def get(self, method, url):
        """A page, or nothing for a 204; what may go better then is tried again."""
        refused = None
        for attempt in range(TRIES):
            token = await self.bearer(refused)
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            body = None
            if method == "POST":
                headers["Content-Type"] = "application/json"
                body = b"{}"
            try:
                async with self.session.request(method, url, headers=headers, data=body) as response:
                    if response.status == 204:
                        return None
                    if response.status == 200:
                        return json.loads(await response.read())
                    if response.status == 401 and refused is None:
                        refused = token
                        continue
                    if response.status != 429 and response.status < 500:
                        response.raise_for_status()
                    wait = float(response.headers.get("Retry-After", 0.5 * 2**attempt))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, asyncio.TimeoutError):
                wait = 0.5 * 2**attempt
            await asyncio.sleep(wait)
        raise RuntimeError(f"no answer in {TRIES} tries")

    async def rows(self, method, tenant, area, rest):
        """All rows of a tenant's listing."""
        base = (
            f"{self.api['api_url']}/partner/external/v3/{area}/customers/{tenant['customer_id']}"
            f"/tenants/{tenant['tenant_id']}/{rest}"
        )
        index, count = 1, 0
        while True:
            page = await self.get(method, f"{base}?pageIndex={index}&pageSize={self.page_size}")
            rows = page["data"] if page else ()
            for row in rows:
                yield row
            count += len(rows)
            if not rows or count >= page["metadata"]["totalCount"]:
                return
            index += 1


async def security_users(client, tenant, labels):
    """Counts users by finding; returns those with one."""
    seen, by_status, flagged = set(), Counter(), []
    async for row in client.rows("GET", tenant, "um", "overview/security/users"):
        user, mail, principal = row.get("id"), row.get("mail"), row.get("userPrincipalName")
        mail = mail.lower() if mail else None
        principal = principal.lower() if principal else None
        key = user or mail or principal
        if key in seen:
            continue
        seen.add(key)
        codes = row.get("status")
        if codes is None:
            continue
        codes = codes if isinstance(codes, list) else [codes]
        by_status.update(codes)
        if codes:
            flagged.append((user, mail, principal, codes))
    SECURITY.labels(*labels).set(len(seen))
    for code in {*range(len(STATUSES)), *by_status}:
        BY_STATUS.labels(*labels, status_name(code)).set(by_status[code])
    return flagged


async def protected_users(client, tenant, labels):
    """Counts users by protection; returns what the listing says of each, by id and by mail address."""
    seen, by_module, by_coverage = set(), Counter(), Counter()
    by_id, by_mail = {}, {}
    async for row in client.rows("POST", tenant, "general", "cloud-backup-m365/users/batch"):
        user, mail = row.get("id"), row.get("email")
        mail = mail.lower() if mail else None
        key = user or mail
        if key in seen:
            continue
        seen.add(key)
        protected, unprotected = [], []
        for module in row.get("moduleStatus") or ():
            (protected if module["isProtected"] else unprotected).append(module["module"])
        by_module.update((module, "true") for module in protected)
        by_module.update((module, "false") for module in unprotected)
        coverage = "none" if not protected else "partial" if unprotected else "full"
        by_coverage[coverage] += 1
        found = (coverage == "full", unprotected)
        if user:
            by_id.setdefault(user, found)
        if mail:
            by_mail.setdefault(mail, found)
    BACKUP.labels(*labels).set(len(seen))
    known = {(module, protected) for module in MODULES for protected in ("true", "false")}
    for module, protected in known | by_module.keys():
        BY_MODULE.labels(*labels, module_name(module), protected).set(by_module[module, protected])
    for coverage in ("full", "partial", "none"):
        BY_COVERAGE.labels(*labels, coverage).set(by_coverage[coverage])
    return by_id, by_mail


def exposure(flagged, by_id, by_mail, labels):
    """Joins the two listings."""
    exposed, unlisted, exposed_by_module = Counter(), Counter(), Counter()
    for user, mail, principal, codes in flagged:
        found = by_id.get(user) or by_mail.get(mail) or by_mail.get(principal)
        if found is None:
            unlisted.update(codes)
            exposed.update(codes)
            continue
        full, unprotected = found
        if not full:
            exposed.update(codes)
        exposed_by_module.update((code, module) for code in codes for module in unprotected)
    for code in {*range(len(STATUSES)), *exposed}:
        EXPOSED.labels(*labels, status_name(code)).set(exposed[code])
        UNLISTED.labels(*labels, status_name(code)).set(unlisted[code])
    known = {(code, module) for code in range(len(STATUSES)) for module in MODULES}
    for code, module in known | exposed_by_module.keys():
        value = exposed_by_module[code, module]
        EXPOSED_BY_MODULE.labels(*labels, status_name(code), module_name(module)).set(value)


async def poll(client, tenant):
    labels = (tenant["tenant_id"], tenant["tenant_name"])
    flagged = await security_users(client, tenant, labels)
    by_id, by_mail = await protected_users(client, tenant, labels)
    exposure(flagged, by_id, by_mail, labels)


async def round_of_polls(config):
    """Polls all tenants, so many at once as requests may be under way."""
    semaphore = asyncio.Semaphore(config["concurrency"])
    connector = aiohttp.TCPConnector(limit=config["concurrency"])
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        client = Client(config, session)

        async def one(tenant):
            async with semaphore:
                try:
                    await poll(client, tenant)
                except (aiohttp.ClientError, RuntimeError, ValueError, KeyError) as error:
                    print(f"tenant {tenant['tenant_id']}: {error}", file=sys.stderr)

        await asyncio.gather(*map(one, config["tenants"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="config.json")
    parser.add_argument("--listen", default="127.0.0.1:9101")
    arguments = parser.parse_args()
    with open(arguments.config, encoding="utf-8") as text:
        config = json.load(text)
    address, port = arguments.listen.rsplit(":", 1)
    _, thread = start_http_server(int(port), address, registry)
    asyncio.run(round_of_polls(config))
    print("round complete", flush=True)
    thread.join()


if __name__ == "__main__":
    main()
