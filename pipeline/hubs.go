package pipeline

import "time"

// Listen holds the addresses (host:port) of the listeners. Empty: closed. Port
// 0: any free port.
type Listen struct {
	AMQP  string // plain
	AMQPS string // TLS
	Kafka string // SASL_PLAINTEXT
	HTTP  string // console: metrics, health; loopback only

	// AllowPlaintext lets AMQP, Kafka and Health listen beyond loopback, where whoever is
	// on the way reads keys and events. It is refused with keys that a stranger may know:
	// all rules need one, that of the root too. Without it they listen on loopback only.
	AllowPlaintext bool

	// Health answers GET /health as Microsoft's emulator does. With HealthIfFree it stays
	// closed where another process has the port.
	Health       string
	HealthIfFree bool

	// KafkaAnonymous lets Kafka clients in that do not authenticate. Loopback only.
	KafkaAnonymous bool

	// Advertised is the host named in connection strings and to Kafka clients;
	// default: the host of the listener.
	Advertised string

	// NextFree tries the following ports when one is taken; otherwise that is an error.
	NextFree bool

	// CertFile and KeyFile are PEM files for TLS. Default: a local authority and
	// certificate made in the data folder.
	CertFile, KeyFile string

	// MaxConnections is how many clients may be connected, over all listeners; default
	// DefaultMaxConnections.
	MaxConnections int
}

// DefaultMaxConnections is how many clients may be connected where nothing is said.
const DefaultMaxConnections = 10_000

// Auth says whom the listeners let in.
type Auth struct {
	Rules       []AuthRule
	EmulatorKey bool // accept RootManageSharedAccessKey with the key SAS_KEY_VALUE
}

// AuthRule is one shared access policy.
type AuthRule struct {
	Name         string
	Rights       []string // Listen, Send, Manage
	PrimaryKey   string   // default: generated and kept in the data folder
	SecondaryKey string
	Hub          string // restricts the rule to one hub; empty: the namespace
}

// Acknowledge says when a sender gets its acknowledgement.
type Acknowledge string

// Acknowledge policies.
const (
	AckSync Acknowledge = "sync" // after fdatasync
	AckOS   Acknowledge = "os"   // after write
)

// Forever is a retention that keeps everything.
const Forever time.Duration = -1

// Hub is one event hub.
type Hub struct {
	Name           string
	Partitions     int           // 1..1024; default 4
	Retention      time.Duration // default 24h; Forever keeps everything
	ConsumerGroups []string      // besides $Default
	Acknowledge    Acknowledge   // default AckSync
}
