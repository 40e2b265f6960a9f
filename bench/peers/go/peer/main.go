// A peer for the benchmark: polls each tenant's listings once, counts and joins, and serves the figures, as a
// careful user would write it with net/http, encoding/json and client_golang. Only what is needed of a page is
// decoded, and nothing of a tenant is kept once it is counted.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type tenant struct {
	CustomerID string `json:"customer_id"`
	TenantID   string `json:"tenant_id"`
	TenantName string `json:"tenant_name"`
}

// api is one host and how to sign in to it.
type apiConfig struct {
	URL          string `json:"api_url"`
	TokenURL     string `json:"token_url"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	RefreshToken string `json:"refresh_token"`
}

type config struct {
	Elements      apiConfig  `json:"elements"`
	PartnerCenter *apiConfig `json:"partner_center"`
	Directory     bool       `json:"directory"`
	Concurrency   int        `json:"concurrency"`
	PageSize      int        `json:"page_size"`
	Tenants       []tenant   `json:"tenants"`
}

func readConfig(path string) (config, error) {
	var c config
	text, err := os.ReadFile(path)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// poller reads one tenant after another.
type poller struct {
	config   config
	elements *client
	partner  *client
	figures  *figures
}

func (p *poller) poll(ctx context.Context, t tenant) error {
	flagged, err := p.securityUsers(ctx, t)
	if err != nil {
		return fmt.Errorf("security users: %w", err)
	}
	references := map[string][]person{}
	if p.config.Directory {
		if references["directory"], err = p.directory(ctx, t); err != nil {
			return fmt.Errorf("directory: %w", err)
		}
	}
	if p.partner != nil {
		if references["partner_center"], err = p.partnerUsers(ctx, t); err != nil {
			return fmt.Errorf("partner center: %w", err)
		}
	}
	backup, err := p.protectedUsers(ctx, t)
	if err != nil {
		return fmt.Errorf("protected users: %w", err)
	}
	p.figures.exposure(t, flagged, backup)
	for reference, users := range references {
		p.figures.missing(t, reference, users, backup)
	}
	return nil
}

// round polls all tenants, so many at once as requests may be under way.
func (p *poller) round(ctx context.Context) {
	tenants := make(chan tenant)
	var workers sync.WaitGroup
	for range p.config.Concurrency {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for t := range tenants {
				if err := p.poll(ctx, t); err != nil {
					log.Printf("tenant %s: %v", t.TenantID, err)
				}
			}
		}()
	}
	for _, t := range p.config.Tenants {
		tenants <- t
	}
	close(tenants)
	workers.Wait()
}

func main() {
	path := flag.String("config", "config.json", "the configuration")
	listen := flag.String("listen", "127.0.0.1:9100", "address of /metrics")
	flag.Parse()
	c, err := readConfig(*path)
	if err != nil {
		log.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	go func() { log.Fatal(http.ListenAndServe(*listen, nil)) }()

	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = c.Concurrency
	p := &poller{
		config:   c,
		elements: newClient(c.Elements, transport),
		figures:  newFigures(registry, c),
	}
	if c.PartnerCenter != nil {
		p.partner = newClient(*c.PartnerCenter, transport)
	}
	p.round(context.Background())
	fmt.Println("round complete")
	select {}
}
