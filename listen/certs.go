package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"spate/access"
	"spate/pipeline"
)

// CertsDir is where the certificates of a data folder lie.
func CertsDir(dir string) string { return filepath.Join(dir, "certs") }

// serverTLS loads the certificate of the TLS ports. Without one that is named, it is that
// of a local authority in dir, which is made if it is not there.
func serverTLS(l pipeline.Listen, dir string) (*tls.Config, error) {
	if l.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("loading the certificate: %w", err)
		}
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
	}
	if _, err := access.ReadCerts(dir); errors.Is(err, os.ErrNotExist) {
		var hosts []string
		if l.Advertised != "" {
			hosts = append(hosts, l.Advertised)
		}
		if _, err := access.InitCerts(dir, hosts); err != nil {
			return nil, fmt.Errorf("making the certificates: %w", err)
		}
	}
	c, err := access.LoadTLS(dir)
	if err != nil {
		return nil, fmt.Errorf("loading the certificates: %w", err)
	}
	return c, nil
}
