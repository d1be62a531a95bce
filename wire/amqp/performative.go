package amqp

// Error is an AMQP error: a condition and a text for people.
type Error struct {
	Condition   Symbol
	Description string
}

// Error returns condition and description.
func (e *Error) Error() string { return string(e.Condition) + ": " + e.Description }

// AppendError appends e with all three fields; null for nil.
func AppendError(dst []byte, e *Error) []byte {
	if e == nil {
		return AppendNull(dst)
	}
	dst, at := OpenList(AppendDescriptor(dst, CodeError), 3)
	dst = AppendSymbol(dst, e.Condition)
	dst = AppendString(dst, e.Description)
	return CloseCompound(AppendNull(dst), at)
}

// error reads an error, nil for null.
func (f *fields) error() *Error {
	v := f.next()
	if v == nil {
		return nil
	}
	code, list, _, err := Performative(v)
	if err != nil || code != CodeError {
		f.wrong(v, "an error")
		return nil
	}
	in := openFields(list)
	e := &Error{Condition: Symbol(in.bytes()), Description: string(in.bytes())}
	if in.err != nil {
		f.err = in.err
	}
	return e
}

// Open is the performative that opens a connection.
type Open struct {
	ContainerID  string
	Hostname     string
	MaxFrameSize uint32
	ChannelMax   uint16
	IdleTimeout  uint32 // milliseconds, 0: none
	Properties   []byte // an encoded map, nil if none
}

// DecodeOpen decodes the fields of an open; Properties lies in b.
func DecodeOpen(b []byte) (Open, error) {
	f := openFields(b)
	o := Open{
		ContainerID:  string(f.bytes()),
		Hostname:     string(f.bytes()),
		MaxFrameSize: f.uint32(1<<32 - 1),
		ChannelMax:   uint16(f.uint32(65535)),
		IdleTimeout:  f.uint32(0),
	}
	for range 4 { // locales and capabilities
		f.next()
	}
	o.Properties = f.mapping()
	return o, f.err
}

// AppendOpen appends an open.
func AppendOpen(dst []byte, o *Open) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeOpen), 10)
	dst = AppendString(dst, o.ContainerID)
	if o.Hostname == "" {
		dst = AppendNull(dst)
	} else {
		dst = AppendString(dst, o.Hostname)
	}
	dst = AppendUint(dst, o.MaxFrameSize)
	dst = append(dst, 0x60, byte(o.ChannelMax>>8), byte(o.ChannelMax))
	if o.IdleTimeout == 0 {
		dst = AppendNull(dst)
	} else {
		dst = AppendUint(dst, o.IdleTimeout)
	}
	return CloseCompound(appendEncoded(append(dst, 0x40, 0x40, 0x40, 0x40), o.Properties), at)
}

// appendEncoded appends a value that is encoded already, null for nil.
func appendEncoded(dst, v []byte) []byte {
	if v == nil {
		return AppendNull(dst)
	}
	return append(dst, v...)
}

// Begin is the performative that begins a session.
type Begin struct {
	Remote         bool // RemoteChannel is set
	RemoteChannel  uint16
	NextOutgoingID uint32
	IncomingWindow uint32
	OutgoingWindow uint32
	HandleMax      uint32
}

// DecodeBegin decodes the fields of a begin.
func DecodeBegin(b []byte) (Begin, error) {
	f := openFields(b)
	ch, set := f.uint(0)
	return Begin{
		Remote:         set,
		RemoteChannel:  uint16(ch),
		NextOutgoingID: f.uint32(0),
		IncomingWindow: f.uint32(0),
		OutgoingWindow: f.uint32(0),
		HandleMax:      f.uint32(1<<32 - 1),
	}, f.err
}

// AppendBegin appends a begin.
func AppendBegin(dst []byte, v *Begin) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeBegin), 8)
	if v.Remote {
		dst = append(dst, 0x60, byte(v.RemoteChannel>>8), byte(v.RemoteChannel))
	} else {
		dst = AppendNull(dst)
	}
	dst = AppendUint(dst, v.NextOutgoingID)
	dst = AppendUint(dst, v.IncomingWindow)
	dst = AppendUint(dst, v.OutgoingWindow)
	dst = AppendUint(dst, v.HandleMax)
	return CloseCompound(append(dst, 0x40, 0x40, 0x40), at)
}

// Terminus is a source or a target. A source has a Filter, a target none.
type Terminus struct {
	HasAddress bool
	Address    string
	Durable    uint32
	Expiry     Symbol
	Timeout    uint32
	Dynamic    bool
	Filter     []byte // the encoded filter map as sent, nil if none
}

// Attach is the performative that attaches a link.
type Attach struct {
	Name         string
	Handle       uint32
	Receiver     bool // the role of who sends the attach
	SndSettle    byte
	RcvSettle    byte
	Source       *Terminus // nil: null
	Target       *Terminus // nil: null
	Coordinator  bool      // the target is a transaction coordinator
	InitialCount uint32
	MaxMessage   uint64 // bytes, 0: no limit
	Desired      []Symbol
	Offered      []Symbol
	Properties   []byte // an encoded map, nil if none
}

// DecodeAttach decodes the fields of an attach; filters and properties lie in b.
func DecodeAttach(b []byte) (Attach, error) {
	f := openFields(b)
	a := Attach{
		Name:      string(f.bytes()),
		Handle:    f.uint32(0),
		Receiver:  f.bool(false),
		SndSettle: byte(f.uint32(uint32(SndMixed))),
		RcvSettle: byte(f.uint32(0)),
	}
	a.Source, _ = f.terminus(CodeSource)
	a.Target, a.Coordinator = f.terminus(CodeTarget)
	f.next() // unsettled
	f.next() // incomplete-unsettled
	a.InitialCount = f.uint32(0)
	a.MaxMessage, _ = f.uint(0)
	a.Offered = f.symbols()
	a.Desired = f.symbols()
	a.Properties = f.mapping()
	return a, f.err
}

func (f *fields) terminus(want byte) (t *Terminus, coordinator bool) {
	v := f.next()
	if v == nil {
		return nil, false
	}
	code, list, _, err := Performative(v)
	if err != nil {
		f.err = err
		return nil, false
	}
	if code == CodeCoordinator {
		return nil, true
	}
	if code != want {
		f.wrong(v, "a terminus")
		return nil, false
	}
	in := openFields(list)
	t = new(Terminus)
	if addr := in.next(); addr != nil {
		b, ok := variable(addr)
		if !ok {
			f.wrong(addr, "an address")
			return nil, false
		}
		t.HasAddress, t.Address = true, string(b)
	}
	t.Durable = in.uint32(0)
	t.Expiry = Symbol(in.bytes())
	t.Timeout = in.uint32(0)
	t.Dynamic = in.bool(false)
	if want == CodeSource {
		in.next() // dynamic-node-properties
		in.next() // distribution-mode
		t.Filter = in.next()
	}
	if in.err != nil {
		f.err = in.err
	}
	return t, false
}

// AppendAttach appends an attach. Source and target are written with all their
// fields, null for nil.
func AppendAttach(dst []byte, a *Attach) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeAttach), 14)
	dst = AppendString(dst, a.Name)
	dst = AppendUint(dst, a.Handle)
	dst = AppendBool(dst, a.Receiver)
	dst = append(dst, 0x50, a.SndSettle, 0x50, a.RcvSettle)
	dst = appendTerminus(dst, CodeSource, a.Source)
	dst = appendTerminus(dst, CodeTarget, a.Target)
	dst = append(dst, 0x40, 0x40)
	if a.Receiver {
		dst = AppendNull(dst)
	} else {
		dst = AppendUint(dst, a.InitialCount)
	}
	dst = AppendUlong(dst, a.MaxMessage)
	dst = appendSymbols(dst, a.Offered)
	dst = appendSymbols(dst, a.Desired)
	return CloseCompound(appendEncoded(dst, a.Properties), at)
}

func appendSymbols(dst []byte, s []Symbol) []byte {
	if len(s) == 0 {
		return AppendNull(dst)
	}
	dst, _ = AppendValue(dst, s)
	return dst
}

func appendTerminus(dst []byte, code byte, t *Terminus) []byte {
	if t == nil {
		return AppendNull(dst)
	}
	n := 7
	if code == CodeSource {
		n = 11
	}
	dst, at := OpenList(AppendDescriptor(dst, code), n)
	if t.HasAddress {
		dst = AppendString(dst, t.Address)
	} else {
		dst = AppendNull(dst)
	}
	dst = AppendUint(dst, t.Durable)
	if t.Expiry == "" {
		dst = AppendNull(dst)
	} else {
		dst = AppendSymbol(dst, t.Expiry)
	}
	dst = AppendUint(dst, t.Timeout)
	dst = AppendBool(dst, t.Dynamic)
	dst = AppendNull(dst) // dynamic-node-properties
	if code == CodeTarget {
		return CloseCompound(AppendNull(dst), at)
	}
	dst = AppendNull(dst) // distribution-mode
	dst = appendEncoded(dst, t.Filter)
	return CloseCompound(append(dst, 0x40, 0x40, 0x40), at)
}

// Flow is the performative that moves windows and credit.
type Flow struct {
	HasNextIncoming bool
	NextIncomingID  uint32
	IncomingWindow  uint32
	NextOutgoingID  uint32
	OutgoingWindow  uint32
	Link            bool // Handle, Count and Credit are set
	Handle          uint32
	HasCount        bool
	Count           uint32 // delivery-count
	HasCredit       bool
	Credit          uint32
	HasAvailable    bool
	Available       uint32
	Drain           bool
	Echo            bool
}

// DecodeFlow decodes the fields of a flow.
func DecodeFlow(b []byte) (Flow, error) {
	f := openFields(b)
	var v Flow
	var n uint64
	n, v.HasNextIncoming = f.uint(0)
	v.NextIncomingID = uint32(n)
	v.IncomingWindow = f.uint32(0)
	v.NextOutgoingID = f.uint32(0)
	v.OutgoingWindow = f.uint32(0)
	n, v.Link = f.uint(0)
	v.Handle = uint32(n)
	n, v.HasCount = f.uint(0)
	v.Count = uint32(n)
	n, v.HasCredit = f.uint(0)
	v.Credit = uint32(n)
	n, v.HasAvailable = f.uint(0)
	v.Available = uint32(n)
	v.Drain = f.bool(false)
	v.Echo = f.bool(false)
	return v, f.err
}

// AppendFlow appends a flow.
func AppendFlow(dst []byte, v *Flow) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeFlow), 11)
	optional := func(set bool, n uint32) {
		if set {
			dst = AppendUint(dst, n)
		} else {
			dst = AppendNull(dst)
		}
	}
	optional(v.HasNextIncoming, v.NextIncomingID)
	dst = AppendUint(dst, v.IncomingWindow)
	dst = AppendUint(dst, v.NextOutgoingID)
	dst = AppendUint(dst, v.OutgoingWindow)
	optional(v.Link, v.Handle)
	optional(v.Link, v.Count)
	optional(v.Link, v.Credit)
	optional(v.Link && v.HasAvailable, v.Available)
	dst = AppendBool(dst, v.Drain)
	dst = AppendBool(dst, v.Echo)
	return CloseCompound(AppendNull(dst), at)
}

// Transfer is the performative in front of a part of a message.
type Transfer struct {
	Handle    uint32
	HasID     bool
	ID        uint32
	Tag       []byte
	HasFormat bool
	Format    uint32
	Settled   bool
	More      bool
	Aborted   bool
}

// DecodeTransfer decodes the fields of a transfer. It allocates nothing; Tag
// lies in b.
func DecodeTransfer(b []byte) (Transfer, error) {
	f := openFields(b)
	var t Transfer
	var n uint64
	t.Handle = f.uint32(0)
	n, t.HasID = f.uint(0)
	t.ID = uint32(n)
	t.Tag = f.bytes()
	n, t.HasFormat = f.uint(0)
	t.Format = uint32(n)
	t.Settled = f.bool(false)
	t.More = f.bool(false)
	f.next() // rcv-settle-mode
	f.next() // state
	f.next() // resume
	t.Aborted = f.bool(false)
	return t, f.err
}

// AppendTransfer appends a transfer; the payload follows it in the frame.
func AppendTransfer(dst []byte, t *Transfer) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeTransfer), 11)
	dst = AppendUint(dst, t.Handle)
	if t.HasID {
		dst = AppendUint(dst, t.ID)
		dst = AppendBinary(dst, t.Tag)
		dst = AppendUint(dst, t.Format)
	} else {
		dst = append(dst, 0x40, 0x40, 0x40)
	}
	dst = AppendBool(dst, t.Settled)
	dst = AppendBool(dst, t.More)
	dst = append(dst, 0x40, 0x40, 0x42) // rcv-settle-mode, state, resume
	return CloseCompound(append(AppendBool(dst, t.Aborted), 0x42), at)
}

// Disposition is the performative that settles deliveries First to Last.
type Disposition struct {
	Receiver bool // the role of who sends it
	First    uint32
	Last     uint32
	Settled  bool
	State    []byte // encoded, nil for null
}

// DecodeDisposition decodes the fields of a disposition; State lies in b.
func DecodeDisposition(b []byte) (Disposition, error) {
	f := openFields(b)
	d := Disposition{Receiver: f.bool(false), First: f.uint32(0)}
	d.Last = f.uint32(d.First)
	d.Settled = f.bool(false)
	d.State = f.next()
	return d, f.err
}

// AppendDisposition appends a disposition.
func AppendDisposition(dst []byte, d *Disposition) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeDisposition), 6)
	dst = AppendBool(dst, d.Receiver)
	dst = AppendUint(dst, d.First)
	dst = AppendUint(dst, d.Last)
	dst = AppendBool(dst, d.Settled)
	dst = appendEncoded(dst, d.State)
	return CloseCompound(AppendBool(dst, false), at)
}

// AppendAccepted appends the state accepted.
func AppendAccepted(dst []byte) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeAccepted), 0)
	return CloseCompound(dst, at)
}

// AppendRejected appends the state rejected with e.
func AppendRejected(dst []byte, e *Error) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeRejected), 1)
	return CloseCompound(AppendError(dst, e), at)
}

// Detach is the performative that detaches a link.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

// DecodeDetach decodes the fields of a detach.
func DecodeDetach(b []byte) (Detach, error) {
	f := openFields(b)
	d := Detach{Handle: f.uint32(0), Closed: f.bool(false), Error: f.error()}
	return d, f.err
}

// AppendDetach appends a detach.
func AppendDetach(dst []byte, d *Detach) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeDetach), 3)
	dst = AppendBool(AppendUint(dst, d.Handle), d.Closed)
	return CloseCompound(AppendError(dst, d.Error), at)
}

// AppendEnd appends an end.
func AppendEnd(dst []byte, e *Error) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeEnd), 1)
	return CloseCompound(AppendError(dst, e), at)
}

// AppendClose appends a close.
func AppendClose(dst []byte, e *Error) []byte {
	dst, at := OpenList(AppendDescriptor(dst, CodeClose), 1)
	return CloseCompound(AppendError(dst, e), at)
}

// DecodeClosing decodes the fields of a close or an end.
func DecodeClosing(b []byte) (*Error, error) {
	f := openFields(b)
	e := f.error()
	return e, f.err
}
