package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// SubscribeURL gives the WebSocket URL for an address as people write it:
// HOST:PORT, :PORT, or a URL with scheme ws, wss, http or https. The path is
// /ws where none is given.
func SubscribeURL(address string) (string, error) {
	u, err := parseAddress(address)
	if err != nil {
		return "", err
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	}
	if u.Scheme != "ws" && u.Scheme != "wss" {
		return "", fmt.Errorf("%q has the scheme %s: expected ws, wss, http or https", address, u.Scheme)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/ws"
	}
	return u.String(), nil
}

// AdminHTTP gives, for an address of an admin door as people write it (HOST:PORT,
// :PORT, URL or unix:PATH), the base URL of requests, without a slash at its end,
// and a client that reaches it. Close the client's idle connections when done.
func AdminHTTP(address string) (base string, door *http.Client, err error) {
	base, socket, err := adminTarget(address)
	if err != nil {
		return "", nil, err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute}
	if socket != "" {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		}
	}
	return base, &http.Client{Transport: transport}, nil
}

// adminTarget splits an admin address into the base URL of requests and, for
// unix:PATH, the socket to dial instead of the URL's host.
func adminTarget(address string) (base, socket string, err error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		path = strings.TrimPrefix(path, "//") // unix:///run/pushd.sock
		if path == "" {
			return "", "", fmt.Errorf("%q names no socket: expected unix:PATH", address)
		}
		return "http://localhost", path, nil
	}
	u, err := parseAddress(address)
	if err != nil {
		return "", "", err
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", "", fmt.Errorf("%q has the scheme %s: expected http, https or unix", address, u.Scheme)
	}
	return u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"), "", nil
}

// parseAddress reads HOST:PORT, :PORT (this host) or a URL. Without a scheme
// it is http.
func parseAddress(address string) (*url.URL, error) {
	s := address
	if !strings.Contains(s, "://") {
		s = "http://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Host == ":" {
		return nil, fmt.Errorf("%q is not an address: expected HOST:PORT or a URL", address)
	}
	if strings.HasPrefix(u.Host, ":") {
		u.Host = "127.0.0.1" + u.Host
	}
	if u.Port() == "" && s != address {
		return nil, fmt.Errorf("%q has no port: expected HOST:PORT or a URL", address)
	}
	return u, nil
}
