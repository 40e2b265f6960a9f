// Toolkit is the reference for web config files: the smallest server on Prometheus' exporter-toolkit, next to which the
// tests start the exporter with the same file.
//
//	toolkit --web.listen-address=127.0.0.1:0 --web.config.file=web.yml    serves
//	toolkit validate FILE...    prints {"file": …, "check": …, "start": …} per file: the errors of the toolkit's own
//	                            check and of a start, empty where there is none
//
// It knows nothing about the exporter.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/prometheus/exporter-toolkit/web"
)

const metrics = "# HELP toolkit_up Always 1.\n# TYPE toolkit_up gauge\ntoolkit_up 1\n"

func handler() http.Handler {
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", text(metrics))
	mux.HandleFunc("/-/healthy", text("ok\n"))
	mux.HandleFunc("/-/ready", text("ok\n"))
	return mux
}

// errStarted ends a server that has come as far as to accept a connection.
var errStarted = errors.New("started")

type noConnections struct{}

func (noConnections) Accept() (net.Conn, error) { return nil, errStarted }
func (noConnections) Close() error              { return nil }
func (noConnections) Addr() net.Addr            { return &net.TCPAddr{} }

func message(err error) string {
	if err == nil || errors.Is(err, errStarted) {
		return ""
	}
	return err.Error()
}

// start returns why a server with this file does not start. Validate does not see all of it: HTTP/2 without the cipher
// suites that it needs is found only here.
func start(file string) error {
	flags := &web.FlagConfig{WebConfigFile: &file}
	return web.Serve(noConnections{}, &http.Server{Handler: handler()}, flags, slog.New(slog.DiscardHandler))
}

func validate(files []string) error {
	out := json.NewEncoder(os.Stdout)
	for _, file := range files {
		verdict := struct {
			File  string `json:"file"`
			Check string `json:"check"`
			Start string `json:"start"`
		}{file, message(web.Validate(file)), message(start(file))}
		if err := out.Encode(verdict); err != nil {
			return err
		}
	}
	return nil
}

func serve() error {
	address := flag.String("web.listen-address", "127.0.0.1:0", "where to listen")
	file := flag.String("web.config.file", "", "the web config file")
	flag.Parse()
	flags := &web.FlagConfig{WebListenAddresses: &[]string{*address}, WebConfigFile: file}
	return web.ListenAndServe(&http.Server{Handler: handler()}, flags, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

func main() {
	run := serve
	if len(os.Args) > 1 && os.Args[1] == "validate" {
		run = func() error { return validate(os.Args[2:]) }
	}
	if err := run(); err != nil {
		slog.Error("cannot go on", "error", err)
		os.Exit(1)
	}
}
