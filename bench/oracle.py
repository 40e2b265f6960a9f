"""Counts the simulated upstream's listings by itself: a plain program that shares no code with the exporter or the
peers, and goes by what the documentation says of each metric.
"""

import datetime
import http.client
import json
import urllib.parse
import uuid
from concurrent.futures import ThreadPoolExecutor

STATUSES = [
    "mfa_disabled",
    "sign_in_blocked",
    "password_expired",
    "high_risk",
    "medium_risk",
    "compliance",
    "inactive",
    "pending_deletion",
    "test_user",
]
PENDING_DELETION = 7
MODULES = {0: "mailbox", 2: "onedrive"}
AGES = [("0-30d", 30), ("31-60d", 60), ("61-90d", 90), ("91-180d", 180), ("181-365d", 365), ("over_365d", 10**9)]
DELETED = '{"Field":"UserStatus","Value":"Inactive","Operator":"equals"}'
DAY = 86_400


class Upstream:
    """Reads listings of the simulated upstream."""

    def __init__(self, simulator):
        self.host = simulator.url.removeprefix("http://")
        self.elements = self._token(
            simulator.elements(),
            grant_type="client_credentials",
            scope="elements.um.user.read.all elements.cbprotected.read.all",
        )
        self.partner = self._token(
            simulator.partner_center(),
            grant_type="refresh_token",
            scope="https://api.partnercenter.microsoft.com/.default",
            refresh_token=simulator.refresh_token(),
        )

    def _ask(self, method, path, headers, body=None):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        assert response.status == 200, (path, response.status, text[:200])
        return json.loads(text)

    def _token(self, api, **form):
        form |= {"client_id": api["client_id"], "client_secret": api["client_secret"]}
        path = urllib.parse.urlsplit(api["token_url"]).path
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, headers, urllib.parse.urlencode(form))["access_token"]

    def listing(self, method, tenant, area, rest):
        base = f"/partner/external/v3/{area}/customers/{tenant['customer_id']}/tenants/{tenant['tenant_id']}/{rest}"
        headers = {"Authorization": f"Bearer {self.elements}", "Content-Type": "application/json"}
        rows, index = [], 0
        while True:
            index += 1
            page = self._ask(
                method, f"{base}?pageIndex={index}&pageSize=100", headers, "{}" if method == "POST" else None
            )
            rows += page["data"]
            if len(rows) >= page["metadata"]["totalCount"]:
                return rows

    def partner_users(self, tenant, deleted):
        path = f"/customers/{tenant['tenant_id']}/users?size=500"
        if deleted:
            path += "&filter=" + urllib.parse.quote(DELETED)
        headers = {
            "Authorization": f"Bearer {self.partner}",
            "MS-RequestId": str(uuid.uuid4()),
            "MS-CorrelationId": str(uuid.uuid4()),
        }
        rows = []
        while path:
            page = self._ask("GET", "/v1" + path, headers)
            rows += page["items"]
            following = page["links"].get("next") or {}
            path = following.get("uri")
            headers |= {header["key"]: header["value"] for header in following.get("headers", ())}
        return rows


def lower(text):
    return text.lower() if text else None


def distinct(rows, *addresses):
    """Each user once, by id, else by the first address that there is."""
    first = {}
    for row in rows:
        addressed = next((lower(row.get(name)) for name in addresses if row.get(name)), None)
        first.setdefault(("id", row["id"]) if row.get("id") else ("address", addressed), row)
    return list(first.values())


def codes(row):
    status = row.get("status")
    return set() if status is None else {status} if isinstance(status, int) else set(status)


def modules(row, protected):
    return {one["module"] for one in row.get("moduleStatus") or () if one["isProtected"] == protected}


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Backup:
    """A backup listing, to find users in."""

    def __init__(self, rows):
        self.by_id, self.by_address = {}, {}
        for row in rows:
            if row.get("id"):
                self.by_id.setdefault(row["id"], row)
            if row.get("email"):
                self.by_address.setdefault(lower(row["email"]), row)

    def find(self, row):
        for known, key in (
            (self.by_id, row.get("id")),
            (self.by_address, lower(row.get("mail"))),
            (self.by_address, lower(row.get("userPrincipalName"))),
        ):
            if key and key in known:
                return known[key]
        return None


def is_exposed(found):
    return found is None or not modules(found, True) or bool(modules(found, False))


def of_tenant(upstream, tenant, shown_locations, now):
    """The figures of a tenant. The usage locations that are told apart are those that the exporter has chosen."""
    figures = {}

    def put(name, value, **labels):
        labels |= {"m365_tenant_id": tenant["tenant_id"], "m365_tenant_name": tenant["tenant_name"]}
        figures[name, tuple(sorted(labels.items()))] = float(value)

    security = distinct(upstream.listing("GET", tenant, "um", "overview/security/users"), "mail", "userPrincipalName")
    directory = distinct(upstream.listing("POST", tenant, "um", "users/batch"), "mail", "userPrincipalName")
    protected = distinct(upstream.listing("POST", tenant, "general", "cloud-backup-m365/users/batch"), "email")
    living = distinct(upstream.partner_users(tenant, False), "userPrincipalName")
    deleted = distinct(upstream.partner_users(tenant, True), "userPrincipalName")
    backup = Backup(protected)

    put("avepoint_security_users", len(security))
    put("avepoint_backup_users", len(protected))
    put("avepoint_directory_users", len(directory))
    for code, status in enumerate(STATUSES):
        flagged = [(row, backup.find(row)) for row in security if code in codes(row)]
        put("avepoint_security_users_by_status", len(flagged), status=status)
        put("avepoint_exposed_users", sum(is_exposed(found) for _, found in flagged), status=status)
        put("avepoint_exposed_unlisted_users", sum(found is None for _, found in flagged), status=status)
        for number, module in MODULES.items():
            unprotected = [found for _, found in flagged if found and number in modules(found, False)]
            put("avepoint_exposed_users_by_module", len(unprotected), status=status, module=module)
        put("avepoint_directory_users_by_status", sum(code in codes(row) for row in directory), status=status)

    for number, module in MODULES.items():
        for flag in (True, False):
            users = sum(number in modules(row, flag) for row in protected)
            put("avepoint_backup_users_by_module", users, module=module, protected=str(flag).lower())
    full = sum(bool(modules(row, True)) and not modules(row, False) for row in protected)
    none = sum(not modules(row, True) for row in protected)
    for coverage, users in (("full", full), ("none", none), ("partial", len(protected) - full - none)):
        put("avepoint_backup_users_by_coverage", users, coverage=coverage)

    put("avepoint_directory_test_users", sum(bool(row.get("isTestUser")) for row in directory))
    bands = dict.fromkeys([*(name for name, _ in AGES), "unknown"], 0)
    for row in directory:
        age = row.get("age")
        known = age is not None and age >= 0
        bands[next(name for name, most in AGES if age <= most) if known else "unknown"] += 1
    for band, users in bands.items():
        put("avepoint_directory_users_by_password_age", users, password_age=band)
    ahead = [seconds(row["endDate"]) - now for row in directory if row.get("endDate")]
    put("avepoint_directory_accounts_ending", sum(0 < one < 8 * DAY for one in ahead), ending="0-7d")
    put("avepoint_directory_accounts_ending", sum(8 * DAY <= one < 31 * DAY for one in ahead), ending="8-30d")

    staying = [row for row in directory if PENDING_DELETION not in codes(row)]
    for reference, users in (("directory", staying), ("partner_center", living)):
        missing = sum(backup.find(row) is None for row in users)
        put("avepoint_backup_missing_users", missing, reference=reference)

    put("avepoint_partner_center_users", len(living))
    for state, users in (("active", living), ("inactive", deleted)):
        for domain_type in ("none", "managed", "federated"):
            those = sum(lower(row["userDomainType"]) == domain_type for row in users)
            put("avepoint_partner_center_users_by_state", those, state=state, domain_type=domain_type)
    name = "avepoint_partner_center_users_by_usage_location"
    locations = [row.get("usageLocation") for row in living]
    for location in shown_locations:
        put(name, locations.count(location), usage_location=location)
    put(name, locations.count(None), usage_location="unset")
    put(name, sum(one is not None and one not in shown_locations for one in locations), usage_location="other")
    must_change = sum(row["passwordProfile"]["forceChangePassword"] for row in living)
    put("avepoint_partner_center_force_password_change_users", must_change)
    syncs = [seconds(row["lastDirectorySyncTime"]) for row in living if row.get("lastDirectorySyncTime")]
    put("avepoint_partner_center_synced_users", len(syncs))
    if syncs:
        put("avepoint_partner_center_last_directory_sync_timestamp_seconds", max(syncs))
    deletions = [seconds(row["softDeletionTime"]) for row in deleted if row.get("softDeletionTime")]
    if deletions:
        put("avepoint_partner_center_next_purge_timestamp_seconds", min(deletions) + 30 * DAY)
    return figures


def figures(simulator, shown, now):
    """All figures, as `harness.samples` has them. `shown` is what the exporter shows."""
    upstream = Upstream(simulator)
    locations = {}
    for (name, labels), _ in shown.items():
        if name == "avepoint_partner_center_users_by_usage_location":
            labels = dict(labels)
            if labels["usage_location"] not in ("unset", "other"):
                locations.setdefault(labels["m365_tenant_id"], set()).add(labels["usage_location"])
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda tenant: of_tenant(upstream, tenant, locations.get(tenant["tenant_id"], ()), now), simulator.tenants
        )
    return {key: value for one in found for key, value in one.items()}
