package amqp

// Outcome codes of SASL.
const (
	SASLOk   byte = 0
	SASLAuth byte = 1
)

// SASLInit is a client's choice of mechanism.
type SASLInit struct {
	Mechanism string
	Response  []byte
	Hostname  string
}

// DecodeSASLInit decodes the fields of a sasl-init.
func DecodeSASLInit(b []byte) (SASLInit, error) {
	f := openFields(b)
	i := SASLInit{Mechanism: string(f.bytes()), Response: f.bytes(), Hostname: string(f.bytes())}
	return i, f.err
}

// AppendMechanisms appends the mechanisms a server offers.
func AppendMechanisms(dst []byte, names ...Symbol) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeMechanisms), 1)
	return CloseCompound(appendSymbols(dst, names), at)
}

// AppendOutcome appends a sasl-outcome.
func AppendOutcome(dst []byte, code byte) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeOutcome), 2)
	return CloseCompound(AppendNull(append(dst, 0x50, code)), at)
}
