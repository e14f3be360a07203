package server_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/peers"
	"github.com/pushd/pushd/internal/server"
)

// behind is a server behind a proxy at 127.0.0.1 and others in 10.0.0.0/8.
func behind(t testing.TB, cfg server.Config) *door {
	t.Helper()
	var err error
	cfg.TrustProxy, err = peers.ParseNetworks([]string{"127.0.0.1", "10.0.0.0/8"})
	require.NoError(t, err)
	return open(t, cfg)
}

// callFrom is call from one of the loopback addresses.
func (d *door) callFrom(from, text string) *peer {
	d.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.Dial("tcp", d.Addr().String())
	require.NoError(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	p := &peer{Conn: c, t: d.t, r: bufio.NewReader(c)}
	p.write(text)
	return p
}

func wsRequest(header string) string {
	return "GET /ws?topic=a HTTP/1.1\r\nHost: a\r\n" + upgrade + header + "\r\n"
}

// proxyV2 is a PROXY header of version 2 for a client of IPv4.
func proxyV2(client string) string {
	a := netip.MustParseAddr(client).As4()
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"), a[:]...)
	b = append(b, 127, 0, 0, 1)
	return string(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, 4711), 80))
}

const proxyV1 = "PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n"

// TestWhoseConnection: the list shows the client, but only trusted proxies are believed who that is.
func TestWhoseConnection(t *testing.T) {
	const proxy, stranger = "127.0.0.1", "127.0.0.3"
	for _, c := range []struct {
		label, from, preface, header string
		want                         string // "": that of the socket
	}{
		{"nobody in between", stranger, "", "", ""},
		{"a proxy that names nobody", proxy, "", "", ""},
		{"X-Forwarded-For", proxy, "", "X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"},
		{"of IPv6", proxy, "", "X-FORWARDED-FOR: 2001:db8:1:2:3::4\r\n", "2001:db8:1:2::/64"},
		{"what a client wrote before", proxy, "", "X-Forwarded-For: 198.51.100.1\r\nx-forwarded-for: 203.0.113.9, 10.0.0.7\r\n", "203.0.113.9"},
		{"garbage", proxy, "", "X-Forwarded-For: 203.0.113.9, <script>\r\n", ""},
		{"Forwarded", proxy, "", "Forwarded: for=198.51.100.1, for=\"203.0.113.9:80\";proto=http\r\n", "203.0.113.9"},
		{"Forwarded that a client sent through a proxy that knows the other", proxy, "", "Forwarded: for=198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"},
		{"a stranger's X-Forwarded-For", stranger, "", "X-Forwarded-For: 203.0.113.9\r\n", ""},
		{"a stranger's Forwarded", stranger, "", "Forwarded: for=203.0.113.9\r\n", ""},
		{"a stranger's garbage", stranger, "", "X-Forwarded-For: ,,,\"\x80\r\nForwarded: ;;=\r\n", ""},
		{"header names that are like them", proxy, "", "X-Forwarded-Fox: 203.0.113.9\r\nForwardee: for=203.0.113.9\r\n", ""},

		{"PROXY version 1", proxy, proxyV1, "", "203.0.113.9"},
		{"PROXY version 2", proxy, proxyV2("203.0.113.9"), "", "203.0.113.9"},
		{"PROXY of nobody", proxy, "PROXY UNKNOWN\r\n", "", ""},
		{"a client's header behind PROXY", proxy, proxyV1, "X-Forwarded-For: 198.51.100.1\r\n", "203.0.113.9"},
		{"a proxy behind PROXY", proxy, proxyV2("10.0.0.9"), "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1"},
		{"X-Forwarded-For behind PROXY of nobody", proxy, "PROXY UNKNOWN\r\n", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1"},
	} {
		t.Run(c.label, func(t *testing.T) {
			d := behind(t, server.Config{ProxyProtocol: c.preface != ""})
			p := d.callFrom(c.from, c.preface+wsRequest(c.header))
			require.Equal(t, 101, p.response().StatusCode)
			want := c.want
			if want == "" {
				want = p.LocalAddr().String()
			}
			require.Equal(t, want, d.listed("", 1).Connections[0].Address)
			counted := strings.TrimSuffix(want, ":"+portOf(p.LocalAddr()))
			require.Equal(t, addresses{Addresses: []address{{counted, 1, 0}}, Known: 1}, d.addresses(""))
			p.Close()
			d.connected(0)
			require.Equal(t, addresses{Addresses: []address{}}, d.addresses(""))
		})
	}
}

func portOf(a net.Addr) string { return fmt.Sprint(a.(*net.TCPAddr).Port) }

type address struct {
	Address              string
	Connections, Refused int
}

type addresses struct {
	Addresses        []address
	Known, Uncounted int
}

func (d *door) addresses(query string) (a addresses) {
	d.t.Helper()
	require.Equal(d.t, 200, d.do(&a, "GET /v1/addresses?"+query, "").StatusCode)
	return a
}

// TestProxyHeaderIsNotGuessed: from who is trusted it must come, and from others it is no request.
func TestProxyHeaderIsNotGuessed(t *testing.T) {
	d := behind(t, server.Config{ProxyProtocol: true, HandshakeTimeout: 300 * time.Millisecond})
	for _, c := range []struct{ label, from, says, want string }{
		{"missing", "127.0.0.1", wsRequest(""), "400 the connection does not begin with a PROXY header"},
		{"bad", "127.0.0.1", "PROXY TCP4 nonsense\r\n" + wsRequest(""), "400 the connection does not begin with a PROXY header"},
		{"from a stranger, version 1", "127.0.0.3", proxyV1 + wsRequest(""), "400 "},
		{"from a stranger, version 2", "127.0.0.3", proxyV2("203.0.113.9") + wsRequest(""), "400 "},
		{"half of one", "127.0.0.1", proxyV1[:20], "408 "},
		{"nothing behind it", "127.0.0.1", proxyV1, "408 "},
		{"nobody", "127.0.0.1", "", "408 "},
	} {
		t.Run(c.label, func(t *testing.T) {
			p := d.callFrom(c.from, c.says)
			answer := p.response()
			require.Contains(t, fmt.Sprintf("%d %s", answer.StatusCode, p.refused(answer).Message), c.want)
			p.ended(0)
			p.Close()
		})
	}
	t.Run("a page", func(t *testing.T) {
		p := d.callFrom("127.0.0.1", proxyV1+"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		require.Equal(t, 200, p.response().StatusCode)
		p.Close()
	})
	t.Run("cut at every byte", func(t *testing.T) {
		for _, preface := range []string{proxyV1, proxyV2("203.0.113.9")} {
			for cut := 1; cut <= len(preface)+3; cut++ {
				before, whole := server.Received(d.Server), preface+wsRequest("")
				p := d.callFrom("127.0.0.1", whole[:cut])
				require.Eventually(t, func() bool { return server.Received(d.Server) == before+uint64(cut) }, 10*time.Second, 50*time.Microsecond)
				p.write(whole[cut:])
				require.Equal(t, 101, p.response().StatusCode, "cut after %d bytes", cut)
				p.Close()
				d.connected(0)
			}
		}
	})
	require.Zero(t, d.addresses("").Known)
}

// TestConnectionsPerAddress: the limit is the client's, not the proxy's.
func TestConnectionsPerAddress(t *testing.T) {
	d := behind(t, server.Config{MaxConnectionsPerAddress: 2})
	from := func(client, more string) *peer {
		return d.callFrom("127.0.0.1", wsRequest("X-Forwarded-For: "+client+"\r\n"+more))
	}
	in := func(client string) *peer {
		t.Helper()
		p := from(client, "")
		require.Equal(t, 101, p.response().StatusCode, client)
		return p
	}
	first := in("203.0.113.9")
	in("203.0.113.9")
	in("2001:db8:1:2:aaaa::1")
	in("2001:db8:1:2:bbbb::2")
	for _, c := range []string{"203.0.113.9", "2001:db8:1:2:cccc::3"} {
		p := from(c, "")
		answer := p.response()
		require.Equal(t, 429, answer.StatusCode)
		require.Equal(t, "5", answer.Header.Get("Retry-After"))
		require.Equal(t, refusal{"rate_limited", "as many are connected from this address as may be"}, p.refused(answer))
		p.Close()

		p = from(c, "Origin: http://localhost\r\nSec-WebSocket-Protocol: pushd.v1\r\n") // a browser cannot see a status
		require.Equal(t, 101, p.response().StatusCode)
		_, err := p.next()
		require.Equal(t, ws.StatusCode(4429), err.(closed).code)
		require.Regexp(t, `^retry_ms=(4\d{3}|5000)$`, err.(closed).reason)
		p.Close()

		p = d.callFrom("127.0.0.1", "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "+c+"\r\n\r\n")
		require.Equal(t, 429, p.response().StatusCode)
		p.Close()
	}
	in("203.0.113.10")
	in("2001:db8:1:3::1")
	for range 5 { // those who are not limited: ours, and who is trusted
		require.Equal(t, 101, d.callFrom("127.0.0.1", wsRequest("")).response().StatusCode)
		require.Equal(t, 101, d.callFrom("127.0.0.3", wsRequest("")).response().StatusCode)
		in("10.0.0.7")
	}
	d.until(d.base+"/metrics", "the refused are gone", func(m map[string]float64) bool { return m["pushd_connections"] == 6+15 })
	require.Equal(t, []address{{"10.0.0.7", 5, 0}, {"127.0.0.1", 5, 0}, {"127.0.0.3", 5, 0}, {"203.0.113.9", 2, 3}, {"2001:db8:1:2::/64", 2, 3}}, d.addresses("limit=5").Addresses)
	require.Equal(t, 400, d.do(new(refusal), "GET /v1/addresses?limit=x", "").StatusCode)
	m := d.scrape(d.base + "/metrics")
	require.EqualValues(t, 6, m[`pushd_address_refusals_total{limit="connections"}`])
	require.Zero(t, m[`pushd_address_refusals_total{limit="handshakes"}`])
	require.EqualValues(t, 7, m["pushd_addresses"])
	require.EqualValues(t, 6, m[`pushd_upgrades_total{result="rate_limited"}`])

	first.Close()
	d.connected(5 + 15)
	in("203.0.113.9")
}

func TestHandshakesPerAddress(t *testing.T) {
	d := behind(t, server.Config{MaxHandshakesPerAddress: 3})
	began, in, refused := time.Now(), 0, 0
	for range 30 {
		p := d.callFrom("127.0.0.1", wsRequest("X-Forwarded-For: 203.0.113.9\r\n"))
		answer := p.response()
		if answer.StatusCode == 101 {
			in++
		} else {
			require.Equal(t, 429, answer.StatusCode)
			require.NotEmpty(t, answer.Header.Get("Retry-After"))
			require.Equal(t, "too many come at once from this address", p.refused(answer).Message)
			refused++
		}
		p.Close()
		require.Equal(t, 101, d.callFrom("127.0.0.3", wsRequest("")).response().StatusCode)
	}
	require.GreaterOrEqual(t, in, 3)
	require.LessOrEqual(t, in, 3+int(3*time.Since(began).Seconds())+1)
	require.EqualValues(t, refused, d.scrape(d.base + "/metrics")[`pushd_address_refusals_total{limit="handshakes"}`])
}

// TestAddressChurn: however connections end, in the end none is counted.
func TestAddressChurn(t *testing.T) {
	d := behind(t, server.Config{MaxConnectionsPerAddress: 4, MaxPages: 2, HandshakeTimeout: 200 * time.Millisecond, ProxyProtocol: true})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(g)))
			for range 150 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+r.IntN(2)))}}
				c, err := dialer.Dial("tcp", d.Addr().String())
				if err != nil {
					continue
				}
				c.SetDeadline(time.Now().Add(20 * time.Second))
				preface := fmt.Sprintf("PROXY TCP4 203.0.113.%d 127.0.0.1 1 2\r\n", r.IntN(5))
				if c.LocalAddr().(*net.TCPAddr).IP[3] != 1 {
					preface = ""
				}
				says := []string{wsRequest(""), "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "nonsense\r\n", wsRequest("Origin: http://localhost\r\n"), ""}[r.IntN(5)]
				c.Write([]byte((preface + says)[:len(preface)+len(says)-r.IntN(2)*r.IntN(len(preface)+len(says)+1)]))
				if r.IntN(2) == 0 {
					c.Read(make([]byte, 100))
				}
				if r.IntN(2) == 0 {
					c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	all.Wait()
	d.until(d.base+"/metrics", "all are gone", func(m map[string]float64) bool {
		return m["pushd_connections"] == 0 && m["pushd_http_pages"] == 0 && m["pushd_addresses"] == 0
	})
	require.Equal(t, addresses{Addresses: []address{}}, d.addresses(""))
}
