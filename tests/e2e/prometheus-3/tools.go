//go:build tools

// Package tools names the programs that the test command builds from this module, so that go.sum pins all that they
// are built of. Prometheus' own module cannot be installed by name, since it has replacements.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
