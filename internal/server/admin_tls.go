package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// AdminTLS has the admin door speak TLS. The files are read at each handshake:
// whoever renews a certificate replaces its file and need tell nobody.
type AdminTLS struct {
	Cert, Key string // PEM files; "" for no TLS
	ClientCA  string // PEM file: who has a certificate of one of these may come in; "" for nobody
}

// config returns what the door goes by. needed says that without a client's
// certificate nobody comes in.
func (t AdminTLS) config(needed bool) (*tls.Config, error) {
	if _, err := t.read(needed); err != nil {
		return nil, fmt.Errorf("admin door: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return t.read(needed)
	}}, nil
}

func (t AdminTLS) read(needed bool) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	if t.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, err
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New(t.ClientCA + ": expected certificates in PEM")
	}
	c.ClientAuth = tls.VerifyClientCertIfGiven
	if needed {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}
