package client_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/client"
)

// secure starts a TLS server and returns its URL and what trusts it.
func secure(t *testing.T, scripts ...func(*peer)) (string, *tls.Config) {
	return secureOn(t, "127.0.0.1:0", scripts...)
}

func secureOn(t *testing.T, address string, scripts ...func(*peer)) (string, *tls.Config) {
	donor := httptest.NewTLSServer(nil)
	donor.Close()
	listener, err := tls.Listen("tcp", address, &tls.Config{Certificates: donor.TLS.Certificates})
	require.NoError(t, err)
	serveOn(t, listener, scripts...)
	pool := x509.NewCertPool()
	pool.AddCert(donor.Certificate())
	return "wss://" + listener.Addr().String(), &tls.Config{RootCAs: pool}
}

func TestTLS(t *testing.T) {
	script := func(p *peer) { p.greet(); p.send(message("e:1", "1")); p.waiting() }
	address, trust := secure(t, script)
	_, err := run(t, 1, client.Config{URL: address, TLS: trust})
	require.NoError(t, err)

	address, trust = secure(t, script)
	tunnel, requests := proxy(t, "HTTP/1.1 200 OK\r\n\r\n")
	var asked string
	_, err = run(t, 1, client.Config{URL: address, TLS: trust, Proxy: func(r *http.Request) (*url.URL, error) {
		asked = r.URL.Scheme
		return url.Parse("http://" + tunnel)
	}})
	require.NoError(t, err)
	require.Equal(t, "https", asked)
	require.Equal(t, strings.TrimPrefix(address, "wss://"), (<-requests).RequestURI)
}

// gobwas/ws gives TLS the name [::1], brackets and all: what takes them off is
// crypto/x509, when it holds an address against the certificate.
func TestTLSToIPv6(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this host has no ::1: %v", err)
	}
	probe.Close()
	address, trust := secureOn(t, "[::1]:0", func(p *peer) { p.greet(); p.send(message("e:1", "1")); p.waiting() })
	require.Contains(t, address, "wss://[::1]:")
	_, err = run(t, 1, client.Config{URL: address, TLS: trust})
	require.NoError(t, err)
}

func TestUntrustedTLS(t *testing.T) {
	address, _ := secure(t, func(*peer) { t.Error("expected no handshake") })
	_, err := run(t, 0, client.Config{URL: address})
	require.ErrorContains(t, err, "connected, but the WebSocket handshake failed: tls: failed to verify certificate")
}

// Frames that come in the same segment as the server's answer.
func TestEarlyFrames(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		var out bytes.Buffer
		upgrader := ws.Upgrader{Protocol: func(p []byte) bool { return string(p) == "pushd.v1" }}
		if _, err := upgrader.Upgrade(struct {
			io.Reader
			io.Writer
		}{conn, &out}); err != nil {
			t.Error(err)
		}
		ws.WriteFrame(&out, ws.NewTextFrame([]byte(`{"op":"welcome","ping_ms":0}`)))
		ws.WriteFrame(&out, ws.NewTextFrame([]byte(message("e:1", "1"))))
		conn.Write(out.Bytes())
		io.Copy(io.Discard, conn)
	}()
	r, err := run(t, 1, client.Config{URL: listener.Addr().String()})
	require.NoError(t, err)
	require.Len(t, r.messages, 1)
	<-done
}

func TestRefusedHandshake(t *testing.T) {
	for _, c := range []struct {
		status int
		token  string
		tries  int
		wait   time.Duration // before the second
	}{
		{http.StatusUnauthorized, "", 1, 0},
		{http.StatusUnauthorized, "same", 2, client.FirstBackoff / 2},
		{http.StatusForbidden, "t", 1, 0},
		{http.StatusNotFound, "", 1, 0},
		{http.StatusTooManyRequests, "", 3, 7*time.Second + client.FirstBackoff/2},
		{http.StatusServiceUnavailable, "", 3, 7*time.Second + client.FirstBackoff/2},
	} {
		t.Run(http.StatusText(c.status), func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.status != http.StatusUnauthorized {
					w.Header().Set("Retry-After", "7")
				}
				w.WriteHeader(c.status)
				io.WriteString(w, `{"code":"nope","message":"not now"}`)
			}))
			defer server.Close()
			tries, enough := 0, errors.New("enough")
			r, err := run(t, 0, client.Config{URL: server.URL, Token: func() (string, error) {
				if tries++; tries > 3 {
					return "", enough
				}
				return c.token, nil
			}})
			if tries > 3 {
				require.Equal(t, enough, err)
				require.Equal(t, 3, c.tries)
			} else {
				var status *client.StatusError
				require.ErrorAs(t, err, &status)
				require.Equal(t, c.status, status.Status)
				require.ErrorContains(t, err, "nope: not now")
				require.Equal(t, c.tries, tries)
			}
			if c.tries > 1 {
				require.Equal(t, c.wait, r.waits[0])
			}
		})
	}
}

func TestOtherProtocol(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, _, err := ws.UpgradeHTTP(r, w) // offers no protocol
		if err == nil {
			conn.Close()
		}
	}))
	defer server.Close()
	_, err := run(t, 0, client.Config{URL: server.URL})
	require.EqualError(t, err, "the server does not speak pushd.v1")
}
