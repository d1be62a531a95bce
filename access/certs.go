package access

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Names of the files that InitCerts writes.
const (
	caFile        = "ca.pem"
	caKeyFile     = "ca-key.pem"
	serverFile    = "server.pem"
	serverKeyFile = "server-key.pem"
	pythonDir     = "python"
)

// pythonTrust is a Python package that stands in for certifi, from which
// azure-eventhub takes its authorities whatever SSL_CERT_FILE says.
//
//go:embed certifi.py
var pythonTrust []byte

// ErrCertsExist is returned where InitCerts would overwrite a file.
var ErrCertsExist = errors.New("access: certificates exist")

// Certs describes the certificates in a folder.
type Certs struct {
	CA          string // path of the CA certificate, which clients have to trust
	Python      string // folder for PYTHONPATH, with which Python clients trust the CA
	Fingerprint string // SHA-256 of the CA certificate, in hex
	Hosts       []string
	CAExpires   time.Time
	Expires     time.Time // of the server certificate
}

type certSettings struct {
	force bool
	life  time.Duration
}

// CertOption changes what InitCerts does.
type CertOption func(*certSettings)

// Force lets InitCerts overwrite the files that are there.
func Force() CertOption { return func(s *certSettings) { s.force = true } }

// Life sets how long the server certificate is good; 397 days by default.
func Life(d time.Duration) CertOption { return func(s *certSettings) { s.life = d } }

// InitCerts makes a certificate authority and a server certificate in dir, for
// localhost, the loopback addresses, the host's name and the names given. Both
// are ECDSA P-256; the CA is good for ten years.
func InitCerts(dir string, hosts []string, opts ...CertOption) (Certs, error) {
	s := certSettings{life: 397 * 24 * time.Hour}
	for _, o := range opts {
		o(&s)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Certs{}, fmt.Errorf("make the folder of the certificates: %w", err)
	}
	for _, name := range []string{caFile, caKeyFile, serverFile, serverKeyFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil && !s.force {
			return Certs{}, fmt.Errorf("%w: %s", ErrCertsExist, filepath.Join(dir, name))
		}
	}
	all := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		all = append(all, name)
	}
	for _, h := range hosts {
		if !slices.Contains(all, h) {
			all = append(all, h)
		}
	}

	now := time.Now()
	ca := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Spate local CA"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.AddDate(10, 0, 0),
		IsCA:                  true,
		MaxPathLenZero:        true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	caKey, caDER, err := issue(ca, nil, nil)
	if err != nil {
		return Certs{}, err
	}
	if ca, err = x509.ParseCertificate(caDER); err != nil {
		return Certs{}, fmt.Errorf("read back the CA certificate: %w", err)
	}
	server := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Spate"},
		NotBefore:   now.Add(-time.Hour),
		NotAfter:    now.Add(s.life),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range all {
		if ip := net.ParseIP(h); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, h)
		}
	}
	key, der, err := issue(server, ca, caKey)
	if err != nil {
		return Certs{}, err
	}
	err = errors.Join(
		writeKey(filepath.Join(dir, caKeyFile), caKey),
		writePEM(filepath.Join(dir, caFile), 0o644, "CERTIFICATE", caDER),
		writeKey(filepath.Join(dir, serverKeyFile), key),
		writePEM(filepath.Join(dir, serverFile), 0o644, "CERTIFICATE", der),
		writePython(filepath.Join(dir, pythonDir, "certifi")),
	)
	if err != nil {
		return Certs{}, err
	}
	return ReadCerts(dir)
}

// issue makes a key and a certificate for it, signed by the parent or, if that
// is nil, by itself.
func issue(c, parent *x509.Certificate, signer crypto.Signer) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key for %s: %w", c.Subject.CommonName, err)
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, fmt.Errorf("make a serial number for %s: %w", c.Subject.CommonName, err)
	}
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("sign the certificate of %s: %w", c.Subject.CommonName, err)
	}
	return key, der, nil
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key for %s: %w", path, err)
	}
	return writePEM(path, 0o600, "PRIVATE KEY", der)
}

// writePEM replaces the file in one step, so that a server that reloads never
// reads half of it.
func writePEM(path string, mode fs.FileMode, kind string, der []byte) error {
	temp := path + ".new"
	var b bytes.Buffer
	if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: der}); err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	os.Remove(temp)
	if err := os.WriteFile(temp, b.Bytes(), mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("put %s in place: %w", path, err)
	}
	return nil
}

func writePython(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder for Python: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "__init__.py"), pythonTrust, 0o644); err != nil {
		return fmt.Errorf("write the certificates' module for Python: %w", err)
	}
	return nil
}

// ReadCerts describes the certificates in dir. The error wraps fs.ErrNotExist
// if there are none.
func ReadCerts(dir string) (Certs, error) {
	ca, err := readCert(filepath.Join(dir, caFile))
	if err != nil {
		return Certs{}, err
	}
	server, err := readCert(filepath.Join(dir, serverFile))
	if err != nil {
		return Certs{}, err
	}
	c := Certs{
		CA:          filepath.Join(dir, caFile),
		Python:      filepath.Join(dir, pythonDir),
		Fingerprint: fmt.Sprintf("%x", sha256.Sum256(ca.Raw)),
		Hosts:       slices.Clone(server.DNSNames),
		CAExpires:   ca.NotAfter,
		Expires:     server.NotAfter,
	}
	for _, ip := range server.IPAddresses {
		c.Hosts = append(c.Hosts, ip.String())
	}
	return c, nil
}

func readCert(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a certificate: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("read certificate %s: no PEM block", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", path, err)
	}
	return c, nil
}

// LoadTLS returns the settings of a server that uses the server certificate in
// dir: TLS 1.2 and 1.3. A certificate that is replaced is used from the next
// connection on.
func LoadTLS(dir string) (*tls.Config, error) {
	l := &certLoader{cert: filepath.Join(dir, serverFile), key: filepath.Join(dir, serverKeyFile)}
	if _, err := l.get(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: l.get}, nil
}

type certLoader struct {
	cert, key string

	mu     sync.Mutex // guards the fields below
	loaded *tls.Certificate
	stamp  time.Time // modification time of the certificate that is loaded
}

func (l *certLoader) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := os.Stat(l.cert)
	if err == nil && (l.loaded == nil || !info.ModTime().Equal(l.stamp)) {
		var c tls.Certificate
		if c, err = tls.LoadX509KeyPair(l.cert, l.key); err == nil {
			l.loaded, l.stamp = &c, info.ModTime()
		}
	}
	if l.loaded == nil {
		return nil, fmt.Errorf("load the server certificate: %w", err)
	}
	return l.loaded, nil // of an unreadable replacement, the one before stays
}

// TrustTLS returns the settings of a client that trusts the CA in dir alone.
func TrustTLS(dir string) (*tls.Config, error) {
	ca, err := readCert(filepath.Join(dir, caFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, nil
}
