// A peer for the benchmark of scrapes: takes the series of an exposition from a file and serves them with client_golang,
// as an exporter does that sets its gauges and counters.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// family sets a series of one metric. A metric whose samples differ in their labels has a vector for each.
type family struct {
	name, help, kind string
	vectors          map[string]func(values []string, value float64)
}

func (f *family) set(registry prometheus.Registerer, names, values []string, value float64) {
	key := strings.Join(names, ",")
	put, found := f.vectors[key]
	if !found {
		if f.kind == "counter" {
			vector := prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.name, Help: f.help}, names)
			registry.MustRegister(vector)
			put = func(values []string, value float64) { vector.WithLabelValues(values...).Add(value) }
		} else {
			vector := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: f.name, Help: f.help}, names)
			registry.MustRegister(vector)
			put = func(values []string, value float64) { vector.WithLabelValues(values...).Set(value) }
		}
		f.vectors[key] = put
	}
	put(values, value)
}

// labels reads name="value",… up to the closing brace and returns the rest.
func labels(text string) (names, values []string, rest string, err error) {
	for !strings.HasPrefix(text, "}") {
		name, after, found := strings.Cut(text, "=")
		if !found {
			return nil, nil, "", fmt.Errorf("no label in %q", text)
		}
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			return nil, nil, "", err
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, nil, "", err
		}
		names, values = append(names, name), append(values, strings.Clone(value))
		text = strings.TrimPrefix(after[len(quoted):], ",")
	}
	return names, values, text[1:], nil
}

func read(path string, registry prometheus.Registerer) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var now *family
	series := 0
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if rest, is := strings.CutPrefix(line, "# HELP "); is {
			name, help, _ := strings.Cut(rest, " ")
			now = &family{name: name, help: help, vectors: map[string]func([]string, float64){}}
		} else if rest, is := strings.CutPrefix(line, "# TYPE "); is {
			_, now.kind, _ = strings.Cut(rest, " ")
		} else {
			rest := line[len(now.name):]
			var names, values []string
			if text, is := strings.CutPrefix(rest, "{"); is {
				if names, values, rest, err = labels(text); err != nil {
					return 0, err
				}
			}
			value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				return 0, err
			}
			now.set(registry, names, values, value)
			series++
		}
	}
	return series, lines.Err()
}

func main() {
	path := flag.String("exposition", "", "the series, in the text format; gauges and counters only")
	listen := flag.String("listen", "", "address")
	flag.Parse()
	registry := prometheus.NewRegistry()
	series, err := read(*path, registry)
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	fmt.Println("series:", series)
	log.Fatal(http.ListenAndServe(*listen, nil))
}
