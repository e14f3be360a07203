package main

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/pushd/pushd/internal/auth"
	"github.com/pushd/pushd/internal/peers"
)

// listenAddress turns HOST:PORT, :PORT or a URL into what net.Listen takes.
func listenAddress(s string) (string, error) {
	if strings.Contains(s, "://") {
		u, err := url.Parse(s)
		if err != nil || u.Path != "" && u.Path != "/" {
			return "", errAddress
		}
		s = u.Host
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", errAddress
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errAddress
	}
	return s, nil
}

var errAddress = errors.New("HOST:PORT, :PORT or a URL without a path")

// isLoopback reports whether only this host can reach a listen address.
func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (c *settings) checkAddresses(src *sources) error {
	for _, a := range []struct {
		flag  string
		value *string
	}{{"listen", &c.Listen}, {"admin", &c.Admin}, {"metrics-listen", &c.MetricsListen}} {
		if *a.value == "" && a.flag == "metrics-listen" {
			continue
		}
		if path, ok := strings.CutPrefix(*a.value, "unix:"); ok && a.flag == "admin" {
			if path == "" {
				return src.bad(a.flag, *a.value, "a path behind unix:")
			}
			continue
		}
		plain, err := listenAddress(*a.value)
		if err != nil {
			return src.bad(a.flag, *a.value, err.Error())
		}
		*a.value = plain
	}
	if c.Dev && !isLoopback(c.Listen) {
		return src.bad("listen", c.Listen, "a loopback address such as 127.0.0.1:8080, for --dev opens everything to everybody")
	}
	return nil
}

// minAdminToken is how long a token is to be where strangers can try theirs.
const minAdminToken = 16

// checkAdmin says whether the admin door is closed to strangers. The files of TLS
// are read when the server begins.
func (c *settings) checkAdmin(src *sources, tokens []string) error {
	switch {
	case (c.AdminCert == "") != (c.AdminKey == ""):
		return src.bad("admin-key", c.AdminKey, "--admin-cert and --admin-key together")
	case c.AdminClientCa != "" && c.AdminCert == "":
		return src.bad("admin-client-ca", c.AdminClientCa, "nothing without --admin-cert")
	case c.adminIsPrivate():
		return nil
	case tokens == nil && c.AdminClientCa == "":
		return usagef("%s: %q can be reached from elsewhere: expected --admin-token-file or --admin-client-ca with it, or a loopback address or unix:PATH",
			src.where("admin"), c.Admin)
	}
	for _, t := range tokens {
		if len(t) < minAdminToken {
			return usagef("%s: %q can be reached from elsewhere: expected tokens of at least %d characters, as openssl rand -hex 16 makes them",
				src.where("admin"), c.Admin, minAdminToken)
		}
	}
	return nil
}

// checkAuth says whether tokens can be checked as asked for. The key files are read
// when the server begins.
func (c *settings) checkAuth(src *sources) error {
	if c.AuthJwks != "" {
		if _, err := auth.New(auth.Config{JWKSURL: c.AuthJwks}); err != nil {
			return src.bad("auth-jwks", c.AuthJwks, "https://HOST/PATH, or http:// and a loopback address")
		}
	}
	if len(c.AuthKey) == 0 && c.AuthJwks == "" {
		for flag, value := range map[string]string{"auth-audience": c.AuthAudience, "auth-issuer": c.AuthIssuer} {
			if value != "" {
				return src.bad(flag, value, "nothing without --auth-key or --auth-jwks")
			}
		}
	}
	if c.AuthCookie == "" || strings.ContainsAny(c.AuthCookie, " \t\"(),/:;<=>?@[\\]{}") { // a token, RFC 6265, 4.1.1
		return src.bad("auth-cookie", c.AuthCookie, "the name of a cookie")
	}
	return nil
}

func (c *settings) checkProxies(src *sources) error {
	for _, n := range c.TrustProxy {
		if _, err := peers.ParseNetworks([]string{n}); err != nil {
			return usagef("%s: %v", src.where("trust-proxy"), err)
		}
	}
	if c.ProxyProtocol && len(c.TrustProxy) == 0 {
		return src.bad("proxy-protocol", true, "--trust-proxy with it: nobody else is to send a PROXY header")
	}
	return nil
}

// adminIsPrivate reports whether only this host's users reach the admin door.
func (c *settings) adminIsPrivate() bool {
	return strings.HasPrefix(c.Admin, "unix:") || isLoopback(c.Admin)
}
