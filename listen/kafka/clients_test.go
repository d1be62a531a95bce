package kafka_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"spate/listen/kafka"
)

func TestKcat(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("kcat is not installed")
		}
		t.Skip("kcat is not installed")
	}
	in, connection := secured(t)
	run := func(input string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(deadline(t), kcat, append([]string{"-b", in.addr, "-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanisms=PLAIN",
			"-X", "sasl.username=$ConnectionString", "-X", "sasl.password=" + connection("root")}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kcat %v: %v\n%s", args, err, stderr.String())
		}
		return string(out)
	}
	if out := run("", "-L"); !strings.Contains(out, `topic "`+topicName+`" with 4 partitions`) {
		t.Errorf("-L: %s", out)
	}
	want := ""
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		run("k:"+codec+"-1\nk:"+codec+"-2\n", "-P", "-t", topicName, "-p", "1", "-K:", "-H", "h=v", "-z", codec)
		want += "k:" + codec + "-1 h=v\nk:" + codec + "-2 h=v\n"
	}
	format := "%k:%s %h\n"
	if out := run("", "-C", "-t", topicName, "-p", "1", "-o", "beginning", "-e", "-q", "-f", format); out != want {
		t.Errorf("-C: %s, want %s", out, want)
	}
	if out := run("", "-C", "-t", topicName, "-p", "1", "-o", "8", "-e", "-q", "-f", "%s\n"); out != "zstd-1\nzstd-2\n" {
		t.Errorf("-o 8: %s", out)
	}
	if out := run("", "-C", "-t", topicName, "-p", "1", "-o", "s@"+strconv.FormatInt(time.Now().Add(-time.Hour).UnixMilli(), 10), "-c", "1", "-q", "-f", "%o\n"); out != "0\n" {
		t.Errorf("-o s@: %s", out)
	}
	if out := run("", "-Q", "-t", topicName+":1:-1"); !strings.Contains(out, "offset 10") {
		t.Errorf("-Q: %s", out)
	}
}

func TestAdminClient(t *testing.T) {
	in := open(t, kafka.Options{})
	c := client(t, in)
	produce(t, c, 2, 0, 5)
	adm := kadm.NewClient(c)
	ctx := deadline(t)
	if topics, err := adm.ListTopics(ctx); err != nil || len(topics[topicName].Partitions) != 4 {
		t.Errorf("topics %v, %v", topics, err)
	}
	ends, err := adm.ListEndOffsets(ctx, topicName)
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := ends.Lookup(topicName, 2); !ok || o.Err != nil || o.Offset != 5 {
		t.Errorf("end offset %+v", o)
	}
	if m, err := adm.BrokerMetadata(ctx); err != nil || len(m.Brokers) != 1 || m.Controller != 0 || m.Cluster != "spate" {
		t.Errorf("cluster %+v, %v", m, err)
	}
	created, err := adm.CreateTopic(ctx, 1, 1, nil, "new")
	if err == nil || created.ErrMessage == "" {
		t.Errorf("a topic was created: %+v", created)
	}
}

func TestTLS(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	in := open(t, kafka.Options{TLS: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}})
	trust := kgo.DialTLSConfig(&tls.Config{RootCAs: pool})
	produce(t, client(t, in, trust), 0, 0, 100)
	checkRecords(t, consume(t, in, 0, kgo.NewOffset().AtStart(), 100, trust), 0, 0)
}
