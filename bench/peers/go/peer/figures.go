package main

import (
	"fmt"
	"sort"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	statusNames = []string{
		"mfa_disabled", "sign_in_blocked", "password_expired", "high_risk", "medium_risk",
		"compliance", "inactive", "pending_deletion", "test_user",
	}
	moduleNames = map[int]string{0: "mailbox", 2: "onedrive"}
)

const (
	topLocations      = 10
	keptAfterDeletion = 30 * 24 * time.Hour
)

// counts are users by code.
type counts map[int]int

func (c counts) add(codes []int) {
	for i, code := range codes {
		if !contains(codes[:i], code) {
			c[code]++
		}
	}
}

func contains(codes []int, code int) bool {
	for _, one := range codes {
		if one == code {
			return true
		}
	}
	return false
}

func statusName(code int) string {
	if code >= 0 && code < len(statusNames) {
		return statusNames[code]
	}
	return fmt.Sprintf("unknown_%d", code)
}

func moduleName(code int) string {
	if name, known := moduleNames[code]; known {
		return name
	}
	return fmt.Sprintf("unknown_%d", code)
}

// byStatus adds the known codes to those that occur.
func (c counts) byStatus() map[string]int {
	all := map[string]int{}
	for _, name := range statusNames {
		all[name] = 0
	}
	for code, users := range c {
		all[statusName(code)] = users
	}
	return all
}

func (c counts) byModule() map[string]int {
	all := map[string]int{}
	for _, name := range moduleNames {
		all[name] = 0
	}
	for code, users := range c {
		all[moduleName(code)] = users
	}
	return all
}

// figures are the gauges; each carries the tenant's two labels.
type figures struct {
	gauges map[string]*prometheus.GaugeVec
}

func newFigures(registry *prometheus.Registry, c config) *figures {
	f := &figures{gauges: map[string]*prometheus.GaugeVec{}}
	add := func(name, help string, labels ...string) {
		gauge := prometheus.NewGaugeVec(
			prometheus.GaugeOpts{Name: name, Help: help},
			append([]string{"m365_tenant_id", "m365_tenant_name"}, labels...),
		)
		registry.MustRegister(gauge)
		f.gauges[name] = gauge
	}
	add("avepoint_security_users", "Distinct users in the security listing.")
	add("avepoint_security_users_by_status", "Users with this finding.", "status")
	add("avepoint_backup_users", "Distinct users in the backup listing.")
	add("avepoint_backup_users_by_module", "Users that list this module.", "module", "protected")
	add("avepoint_backup_users_by_coverage", "Users by how many modules are protected.", "coverage")
	add("avepoint_exposed_users", "Users at risk who are not fully backed up.", "status")
	add("avepoint_exposed_users_by_module", "Those whose module is not protected.", "status", "module")
	add("avepoint_exposed_unlisted_users", "Those who are not in the backup listing.", "status")
	if c.Directory || c.PartnerCenter != nil {
		add("avepoint_backup_missing_users", "Active users who are not in the backup listing.", "reference")
	}
	if c.Directory {
		add("avepoint_directory_users", "Distinct users of the directory.")
		add("avepoint_directory_users_by_status", "Users with this finding.", "status")
		add("avepoint_directory_test_users", "Test users.")
		add("avepoint_directory_users_by_password_age", "Users by the age of their password.", "password_age")
		add("avepoint_directory_accounts_ending", "Users whose account ends soon.", "ending")
	}
	if c.PartnerCenter != nil {
		add("avepoint_partner_center_users", "Distinct active users.")
		add("avepoint_partner_center_users_by_state", "Users by state and domain type.", "state", "domain_type")
		add("avepoint_partner_center_users_by_usage_location", "Active users by location.", "usage_location")
		add("avepoint_partner_center_force_password_change_users", "Active users who must change their password.")
		add("avepoint_partner_center_synced_users", "Active users that are synchronised.")
		add("avepoint_partner_center_last_directory_sync_timestamp_seconds", "When one was synchronised last.")
		add("avepoint_partner_center_next_purge_timestamp_seconds", "When the next deleted user is gone for good.")
	}
	return f
}

func (f *figures) set(name string, t tenant, value int, labels ...string) {
	f.gauges[name].WithLabelValues(append([]string{t.TenantID, t.TenantName}, labels...)...).Set(float64(value))
}

func (f *figures) setAll(name string, t tenant, values map[string]int) {
	for label, value := range values {
		f.set(name, t, value, label)
	}
}

func (f *figures) security(t tenant, users int, by counts) {
	f.set("avepoint_security_users", t, users)
	f.setAll("avepoint_security_users_by_status", t, by.byStatus())
}

func (f *figures) backup(t tenant, users int, protected, unprotected counts, coverage map[string]int) {
	f.set("avepoint_backup_users", t, users)
	for module, users := range protected.byModule() {
		f.set("avepoint_backup_users_by_module", t, users, module, "true")
	}
	for module, users := range unprotected.byModule() {
		f.set("avepoint_backup_users_by_module", t, users, module, "false")
	}
	f.setAll("avepoint_backup_users_by_coverage", t, coverage)
}

func (f *figures) exposure(t tenant, flagged []person, listed *backup) {
	exposed, unlisted := counts{}, counts{}
	byModule := map[[2]string]int{}
	for _, status := range statusNames {
		for _, module := range moduleNames {
			byModule[[2]string{status, module}] = 0
		}
	}
	for i := range flagged {
		found := listed.find(&flagged[i])
		if found == nil {
			unlisted.add(flagged[i].statuses)
		}
		if found == nil || !found.isProtected() {
			exposed.add(flagged[i].statuses)
		}
		if found == nil {
			continue
		}
		for _, status := range flagged[i].statuses {
			for _, module := range found.unprotected {
				byModule[[2]string{statusName(status), moduleName(module)}]++
			}
		}
	}
	f.setAll("avepoint_exposed_users", t, exposed.byStatus())
	f.setAll("avepoint_exposed_unlisted_users", t, unlisted.byStatus())
	for labels, users := range byModule {
		f.set("avepoint_exposed_users_by_module", t, users, labels[0], labels[1])
	}
}

func (f *figures) missing(t tenant, reference string, users []person, listed *backup) {
	missing := 0
	for i := range users {
		if listed.find(&users[i]) == nil {
			missing++
		}
	}
	f.set("avepoint_backup_missing_users", t, missing, reference)
}

func (f *figures) directory(t tenant, users int, by counts, testUsers int, ages, ending map[string]int) {
	f.set("avepoint_directory_users", t, users)
	f.setAll("avepoint_directory_users_by_status", t, by.byStatus())
	f.set("avepoint_directory_test_users", t, testUsers)
	for _, band := range ageBands {
		f.set("avepoint_directory_users_by_password_age", t, ages[band], band)
	}
	for _, band := range endBands {
		f.set("avepoint_directory_accounts_ending", t, ending[band], band)
	}
}

func (f *figures) partnerCenter(t tenant, sums *partner) {
	f.set("avepoint_partner_center_users", t, sums.users)
	for _, state := range []string{"active", "inactive"} {
		for _, domainType := range []string{"none", "managed", "federated"} {
			sums.byState[[2]string{state, domainType}] += 0
		}
	}
	for labels, users := range sums.byState {
		f.set("avepoint_partner_center_users_by_state", t, users, labels[0], labels[1])
	}
	const name = "avepoint_partner_center_users_by_usage_location"
	f.set(name, t, sums.byLocation[""], "unset")
	delete(sums.byLocation, "")
	locations := make([]string, 0, len(sums.byLocation))
	for location := range sums.byLocation {
		locations = append(locations, location)
	}
	sort.Slice(locations, func(i, j int) bool {
		a, b := locations[i], locations[j]
		if sums.byLocation[a] != sums.byLocation[b] {
			return sums.byLocation[a] > sums.byLocation[b]
		}
		return a < b
	})
	other := 0
	for i, location := range locations {
		if i < topLocations {
			f.set(name, t, sums.byLocation[location], location)
		} else {
			other += sums.byLocation[location]
		}
	}
	f.set(name, t, other, "other")
	f.set("avepoint_partner_center_force_password_change_users", t, sums.mustChange)
	f.set("avepoint_partner_center_synced_users", t, sums.synced)
	if !sums.lastSync.IsZero() {
		f.set("avepoint_partner_center_last_directory_sync_timestamp_seconds", t, int(sums.lastSync.Unix()))
	}
	if !sums.oldestDeletion.IsZero() {
		at := sums.oldestDeletion.Add(keptAfterDeletion)
		f.set("avepoint_partner_center_next_purge_timestamp_seconds", t, int(at.Unix()))
	}
}
