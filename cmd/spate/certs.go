package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"spate/access"
	"spate/config"
)

func (a *app) certs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "certs", Annotations: oneForm,
		Short: "Show the certificates of the TLS ports, and how clients trust them",
		Args:  cobra.NoArgs,
		RunE: do(func(*cobra.Command, []string) error {
			dir, err := a.certsDir()
			if err != nil {
				return err
			}
			c, err := access.ReadCerts(dir)
			if errors.Is(err, os.ErrNotExist) {
				return withCode(notFound, fmt.Errorf("there are no certificates in %s: make them with `spate certs init`", shortPath(dir)))
			}
			if err != nil {
				return err
			}
			return a.printCerts(c)
		}),
	}
	var hosts []string
	var force bool
	var days int
	init := &cobra.Command{
		Use: "init", Annotations: oneForm,
		Short: "Make a local certificate authority and a server certificate",
		Args:  cobra.NoArgs,
		RunE: do(func(*cobra.Command, []string) error {
			if days < 1 {
				return withCode(usage, fmt.Errorf("--days %d: want 1 or more", days))
			}
			dir, err := a.certsDir()
			if err != nil {
				return err
			}
			opts := []access.CertOption{access.Life(time.Duration(days) * 24 * time.Hour)}
			if force {
				opts = append(opts, access.Force())
			}
			c, err := access.InitCerts(dir, hosts, opts...)
			if errors.Is(err, access.ErrCertsExist) {
				return withCode(usage, fmt.Errorf("%w; --force replaces them", err))
			}
			if err != nil {
				return err
			}
			return a.printCerts(c)
		}),
	}
	init.Flags().StringArrayVar(&hosts, "host", nil, "another host name or address of the certificate")
	init.Flags().BoolVar(&force, "force", false, "replace what is there")
	init.Flags().IntVar(&days, "days", 397, "how long the server certificate is good")
	cmd.AddCommand(init)
	return cmd
}

// certsDir is the folder of the certificates in the data folder.
func (a *app) certsDir() (string, error) {
	if a.data != "" {
		return filepath.Join(a.data, "certs"), nil
	}
	p, err := a.load("", config.Source{NoScripts: true})
	if err != nil {
		return "", err
	}
	return filepath.Join(p.Options.Dir, "certs"), nil
}

func (a *app) printCerts(c access.Certs) error {
	_, err := fmt.Fprintf(a.stdout, `CA certificate  %[1]s
fingerprint     %[2]s (SHA-256)
hosts           %[3]v
good until      %[4]s (CA: %[5]s)

Clients trust it so:
  Go, curl, Python's ssl SSL_CERT_FILE=%[1]s
  Python azure-eventhub  PYTHONPATH=%[6]s  (it asks the package certifi, which that folder stands in for)
  Node.js                NODE_EXTRA_CA_CERTS=%[1]s
  Java                   keytool -importcert -noprompt -alias spate -file %[1]s -keystore spate.jks -storepass changeit
                         and -Djavax.net.ssl.trustStore=spate.jks
  .NET, browsers         add the file to the system's certificate store
`, c.CA, c.Fingerprint, c.Hosts, c.Expires.Format(time.DateOnly), c.CAExpires.Format(time.DateOnly), c.Python)
	return err
}
