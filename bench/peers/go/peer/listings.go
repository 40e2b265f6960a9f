package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// statuses are codes: one, or a list of them.
type statuses []int

func (s *statuses) UnmarshalJSON(text []byte) error {
	*s = (*s)[:0]
	if bytes.HasPrefix(text, []byte("[")) {
		return json.Unmarshal(text, (*[]int)(s))
	}
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	var code int
	err := json.Unmarshal(text, &code)
	*s = append(*s, code)
	return err
}

type securityUser struct {
	ID                string   `json:"id"`
	Mail              string   `json:"mail"`
	UserPrincipalName string   `json:"userPrincipalName"`
	Status            statuses `json:"status"`
}

type directoryUser struct {
	ID                string   `json:"id"`
	Mail              string   `json:"mail"`
	UserPrincipalName string   `json:"userPrincipalName"`
	Status            statuses `json:"status"`
	IsTestUser        bool     `json:"isTestUser"`
	Age               *int     `json:"age"`
	EndDate           string   `json:"endDate"`
}

type protectedUser struct {
	ID           string `json:"id"`
	Email        string `json:"email"`
	ModuleStatus []struct {
		Module      int  `json:"module"`
		IsProtected bool `json:"isProtected"`
	} `json:"moduleStatus"`
}

type partnerUser struct {
	ID                string `json:"id"`
	UserPrincipalName string `json:"userPrincipalName"`
	State             string `json:"state"`
	UserDomainType    string `json:"userDomainType"`
	UsageLocation     string `json:"usageLocation"`
	PasswordProfile   struct {
		ForceChangePassword bool `json:"forceChangePassword"`
	} `json:"passwordProfile"`
	LastDirectorySyncTime string `json:"lastDirectorySyncTime"`
	SoftDeletionTime      string `json:"softDeletionTime"`
}

// person is a user to be found in the backup listing; the addresses are in lower case.
type person struct {
	id, mail, principal string
	statuses            []int
}

// seen counts users once, by id, else by mail address, else by principal name.
type seen map[string]struct{}

func (s seen) isFirst(ids ...string) bool {
	for _, id := range ids {
		if id != "" {
			if _, known := s[id]; known {
				return false
			}
			s[id] = struct{}{}
			return true
		}
	}
	return false
}

// modules are what a backup listing says of a user.
type modules struct {
	protected, unprotected []int
}

func (m *modules) isProtected() bool {
	return len(m.protected) > 0 && len(m.unprotected) == 0
}

// backup is a tenant's backup listing, to find users in.
type backup struct {
	byID, byMail map[string]*modules
}

func (b *backup) find(p *person) *modules {
	if found := b.byID[p.id]; p.id != "" && found != nil {
		return found
	}
	if found := b.byMail[p.mail]; p.mail != "" && found != nil {
		return found
	}
	if p.principal == "" {
		return nil
	}
	return b.byMail[p.principal]
}

func (t tenant) path(area, rest string) string {
	return fmt.Sprintf("/%s/customers/%s/tenants/%s/%s", area, t.CustomerID, t.TenantID, rest)
}

func (p *poller) securityUsers(ctx context.Context, t tenant) ([]person, error) {
	users, counts := seen{}, counts{}
	var flagged []person
	err := list(ctx, p, http.MethodGet, t.path("um", "overview/security/users"), func(row *securityUser) {
		mail, principal := strings.ToLower(row.Mail), strings.ToLower(row.UserPrincipalName)
		if !users.isFirst(row.ID, mail, principal) {
			return
		}
		counts.add(row.Status)
		if len(row.Status) > 0 {
			flagged = append(flagged, person{row.ID, mail, principal, row.Status})
		}
	})
	if err != nil {
		return nil, err
	}
	p.figures.security(t, len(users), counts)
	return flagged, nil
}

func (p *poller) protectedUsers(ctx context.Context, t tenant) (*backup, error) {
	users, found := seen{}, &backup{map[string]*modules{}, map[string]*modules{}}
	var protected, unprotected = counts{}, counts{}
	coverage := map[string]int{"full": 0, "partial": 0, "none": 0}
	err := list(ctx, p, http.MethodPost, t.path("general", "cloud-backup-m365/users/batch"), func(row *protectedUser) {
		mail := strings.ToLower(row.Email)
		if !users.isFirst(row.ID, mail) {
			return
		}
		var of modules
		for _, module := range row.ModuleStatus {
			if module.IsProtected {
				of.protected = append(of.protected, module.Module)
			} else {
				of.unprotected = append(of.unprotected, module.Module)
			}
		}
		protected.add(of.protected)
		unprotected.add(of.unprotected)
		switch {
		case len(of.protected) == 0:
			coverage["none"]++
		case len(of.unprotected) == 0:
			coverage["full"]++
		default:
			coverage["partial"]++
		}
		if row.ID != "" && found.byID[row.ID] == nil {
			found.byID[row.ID] = &of
		}
		if mail != "" && found.byMail[mail] == nil {
			found.byMail[mail] = &of
		}
	})
	if err != nil {
		return nil, err
	}
	p.figures.backup(t, len(users), protected, unprotected, coverage)
	return found, nil
}

func (p *poller) directory(ctx context.Context, t tenant) ([]person, error) {
	const pendingDeletion = 7
	users, counts := seen{}, counts{}
	ages, ending := map[string]int{}, map[string]int{}
	var testUsers int
	var active []person
	now := time.Now()
	err := list(ctx, p, http.MethodPost, t.path("um", "users/batch"), func(row *directoryUser) {
		mail, principal := strings.ToLower(row.Mail), strings.ToLower(row.UserPrincipalName)
		if !users.isFirst(row.ID, mail, principal) {
			return
		}
		counts.add(row.Status)
		if row.IsTestUser {
			testUsers++
		}
		ages[passwordAge(row.Age)]++
		ending[endsIn(row.EndDate, now)]++
		if !slices.Contains(row.Status, pendingDeletion) {
			active = append(active, person{row.ID, mail, principal, nil})
		}
	})
	if err != nil {
		return nil, err
	}
	p.figures.directory(t, len(users), counts, testUsers, ages, ending)
	return active, nil
}

var ageBands = []string{"0-30d", "31-60d", "61-90d", "91-180d", "181-365d", "over_365d", "unknown"}

func passwordAge(days *int) string {
	if days == nil || *days < 0 {
		return "unknown"
	}
	for band, most := range []int{30, 60, 90, 180, 365} {
		if *days <= most {
			return ageBands[band]
		}
	}
	return "over_365d"
}

var endBands = []string{"0-7d", "8-30d"}

// endsIn returns the band of an account's end; nothing when it is not set, past or far ahead.
func endsIn(date string, now time.Time) string {
	end, err := time.Parse(time.RFC3339, date)
	ahead := end.Sub(now)
	switch days := ahead / (24 * time.Hour); {
	case err != nil || ahead <= 0:
		return ""
	case days <= 7:
		return "0-7d"
	case days <= 30:
		return "8-30d"
	}
	return ""
}

// partner is what Partner Center's listings add up to.
type partner struct {
	byState                   map[[2]string]int
	byLocation                map[string]int
	users, mustChange, synced int
	lastSync, oldestDeletion  time.Time
}

func (p *poller) partnerUsers(ctx context.Context, t tenant) ([]person, error) {
	users := seen{}
	sums := partner{byState: map[[2]string]int{}, byLocation: map[string]int{}}
	var active []person
	for _, deleted := range []bool{false, true} {
		err := listPartner(ctx, p, t, deleted, func(row *partnerUser) {
			principal := strings.ToLower(row.UserPrincipalName)
			if !users.isFirst(row.ID, principal) {
				return
			}
			sums.byState[[2]string{strings.ToLower(row.State), strings.ToLower(row.UserDomainType)}]++
			if deleted || strings.EqualFold(row.State, "inactive") {
				if at, err := time.Parse(time.RFC3339, row.SoftDeletionTime); err == nil &&
					(sums.oldestDeletion.IsZero() || at.Before(sums.oldestDeletion)) {
					sums.oldestDeletion = at
				}
				return
			}
			sums.users++
			sums.byLocation[strings.ToUpper(row.UsageLocation)]++
			if row.PasswordProfile.ForceChangePassword {
				sums.mustChange++
			}
			if at, err := time.Parse(time.RFC3339, row.LastDirectorySyncTime); err == nil {
				sums.synced++
				if at.After(sums.lastSync) {
					sums.lastSync = at
				}
			}
			active = append(active, person{id: row.ID, principal: principal})
		})
		if err != nil {
			return nil, err
		}
	}
	p.figures.partnerCenter(t, &sums)
	return active, nil
}
