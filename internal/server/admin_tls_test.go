package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pushd/pushd/internal/server"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	der, key := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	var err error
	a.key = key
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

// sign completes a certificate and signs it, by itself where there is no authority yet.
func (a *authority) sign(c *x509.Certificate) (der []byte, key *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: "test"}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err = x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	require.NoError(a.t, err)
	return der, key
}

// files writes a certificate for 127.0.0.1 and its key.
func (a *authority) files() (cert, key string) {
	der, k := a.sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	bytes, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(a.t, err)
	return a.file("CERTIFICATE", der), a.file("PRIVATE KEY", bytes)
}

func (a *authority) file(kind string, der []byte) string {
	name := filepath.Join(a.t.TempDir(), "x.pem")
	require.NoError(a.t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return name
}

// client returns a client that trusts the authority, with a certificate from another, if there is one.
func (a *authority) client(from *authority) *http.Client {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.cert)
	if from != nil {
		der, key := from.sign(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { // also where the door would not take it
			return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
		}
	}
	transport := &http.Transport{TLSClientConfig: c}
	a.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func TestAdminTLS(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	cert, key := ours.files()
	ca := ours.file("CERTIFICATE", ours.cert.Raw)
	const refused = -1 // by TLS
	for _, c := range []struct {
		label    string
		tls      server.AdminTLS
		tokens   []string
		from     *authority
		token    string
		status   int
		healthOf int
	}{
		{"TLS alone, no token", server.AdminTLS{Cert: cert, Key: key}, []string{"s3cret"}, nil, "", 401, 200},
		{"TLS alone, the token", server.AdminTLS{Cert: cert, Key: key}, []string{"s3cret"}, nil, "s3cret", 200, 200},
		{"TLS alone, a certificate", server.AdminTLS{Cert: cert, Key: key}, []string{"s3cret"}, ours, "", 401, 200},
		{"certificates, none", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, nil, nil, "", refused, refused},
		{"certificates, a good one", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, nil, ours, "", 200, 200},
		{"certificates, another's", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, nil, foreign, "", refused, refused},
		{"either, none", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, []string{"s3cret"}, nil, "", 401, 200},
		{"either, the token", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, []string{"s3cret"}, nil, "s3cret", 200, 200},
		{"either, a certificate", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, []string{"s3cret"}, ours, "", 200, 200},
		{"either, another's", server.AdminTLS{Cert: cert, Key: key, ClientCA: ca}, []string{"s3cret"}, foreign, "", refused, refused},
	} {
		t.Run(c.label, func(t *testing.T) {
			d := open(t, server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AdminTLS: c.tls, AdminTokens: c.tokens})
			client := ours.client(c.from)
			for path, status := range map[string]int{"/v1/topics": c.status, "/healthz": c.healthOf} {
				r, err := http.NewRequest("GET", "https://"+d.AdminAddr().String()+path, nil)
				require.NoError(t, err)
				if c.token != "" {
					r.Header.Set("Authorization", "Bearer "+c.token)
				}
				answer, err := client.Do(r)
				if status == refused {
					require.ErrorContains(t, err, "tls: ")
					continue
				}
				require.NoError(t, err)
				answer.Body.Close()
				require.Equal(t, status, answer.StatusCode, path)
			}
		})
	}
	for label, tls := range map[string]server.AdminTLS{
		"no certificate":     {Cert: "none.pem", Key: key},
		"a key of another":   {Cert: ca, Key: key},
		"no certificates in": {Cert: cert, Key: key, ClientCA: key},
	} {
		_, err := server.New(server.Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", AdminTLS: tls})
		require.ErrorContains(t, err, "admin door: ", label)
	}
}
