package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

// maxAnswer bounds what is read of an error's body, in bytes. After a 503 it
// lists the rejected lines of a whole batch.
const maxAnswer = 1 << 20

// dial connects c to the server, through the proxy that the environment names
// for it, and upgrades to pushd.v1. The reader is nil unless frames came along
// with the answer.
func (c *session) dial() (*bufio.Reader, error) {
	var refused *StatusError
	var connected bool
	protocols := []string{"pushd.v1"}
	if c.token != "" {
		protocols = append(protocols, "bearer."+c.token) // never echoed by the server
	}
	dialer := ws.Dialer{
		Timeout:   handshakeTimeout,
		Protocols: protocols,
		TLSConfig: c.cfg.TLS,
		NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := c.connect(ctx, addr)
			connected = err == nil
			return conn, err
		},
		OnStatusError: func(_ int, _ []byte, r io.Reader) {
			refused = readStatus(bufio.NewReader(r))
		},
	}
	conn, early, handshake, err := dialer.Dial(c.ctx, c.cfg.URL)
	switch {
	case refused != nil:
		return nil, c.status(refused, c.token)
	case err != nil && c.ctx.Err() != nil:
		return nil, c.ctx.Err()
	case err != nil && connected:
		err = fmt.Errorf("connected, but the WebSocket handshake failed: %w", err)
		fallthrough
	case err != nil:
		return nil, &UnreachableError{c.cfg.URL, err}
	}
	c.conn = conn
	if handshake.Protocol != "pushd.v1" {
		conn.Close()
		return nil, stop(errors.New("the server does not speak pushd.v1"))
	}
	return early, nil
}

// connect opens a TCP connection to addr, by way of a proxy where one is set.
func (c *session) connect(ctx context.Context, addr string) (net.Conn, error) {
	var dialer net.Dialer
	proxy, err := c.proxy()
	if err != nil || proxy == nil {
		if err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, "tcp", addr)
	}
	conn, err := dialer.DialContext(ctx, "tcp", proxyAddress(proxy))
	if err != nil {
		return nil, fmt.Errorf("proxy %s: %w", proxy.Host, err)
	}
	if proxy.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{ServerName: proxy.Hostname()})
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now()) })()
	if err := connectThrough(conn, proxy, addr); err != nil {
		conn.Close()
		return nil, fmt.Errorf("proxy %s: %w", proxy.Host, err)
	}
	return conn, nil
}

// proxy asks for the proxy of the door's HTTP counterpart: ws is http.
func (c *session) proxy() (*url.URL, error) {
	u, err := url.Parse(c.cfg.URL)
	if err != nil {
		return nil, err
	}
	u.Scheme = map[string]string{"ws": "http", "wss": "https"}[u.Scheme]
	proxy, err := c.cfg.Proxy(&http.Request{URL: u})
	if err == nil && proxy != nil && proxy.Scheme != "http" && proxy.Scheme != "https" {
		return nil, fmt.Errorf("the proxy %s is neither http nor https", proxy.Redacted())
	}
	return proxy, err
}

func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// connectThrough asks a proxy for a tunnel (RFC 9110, 9.3.6).
func connectThrough(conn net.Conn, proxy *url.URL, addr string) error {
	request := "CONNECT " + addr + " HTTP/1.1\r\nHost: " + addr + "\r\n"
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		request += "Proxy-Authorization: Basic " + credentials + "\r\n"
	}
	if _, err := io.WriteString(conn, request+"\r\n"); err != nil {
		return err
	}
	// Byte by byte, so as not to take what the server says behind the answer:
	// it is short, and comes once a connection.
	br := bufio.NewReaderSize(oneByte{conn}, 16)
	response, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered CONNECT with %s", response.Status)
	}
	return nil
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// readStatus reads an HTTP answer that is not the one hoped for.
func readStatus(br *bufio.Reader) *StatusError {
	response, err := http.ReadResponse(br, nil)
	if err != nil {
		return &StatusError{Message: err.Error()}
	}
	return newStatusError(response, nil)
}

// newStatusError reads a response's error body, {"code":…,"message":…}, and
// decodes it into answer too, unless that is nil.
func newStatusError(response *http.Response, answer any) *StatusError {
	e := &StatusError{Status: response.StatusCode}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer)) // half a message is better than none
	var said struct{ Code, Message string }
	if json.Unmarshal(body, &said) == nil {
		e.Code, e.Message = said.Code, said.Message
	}
	if answer != nil {
		json.Unmarshal(body, answer) // where it is of another shape the status says all
	}
	return e
}
