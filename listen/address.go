package listen

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"spate/pipeline"
)

// bind binds the address of a port, or the first free port behind it, if l wants that.
func bind(p Port, l pipeline.Listen) (net.Listener, error) {
	if p.exposed() && (p.Keyless || !l.AllowPlaintext) {
		return nil, fmt.Errorf("opening the %s listener on %s: only loopback is served without TLS; use the TLS listener beyond this machine", p.Name, p.At)
	}
	ln, err := net.Listen("tcp", p.At)
	if l.NextFree && errors.Is(err, syscall.EADDRINUSE) {
		if free := behind(p.At); free != nil {
			return free, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the %s listener: %w", p.Name, err)
	}
	return ln, nil
}

// behind binds one of the hundred ports behind an address; nil: none is free.
func behind(addr string) net.Listener {
	host, text, err := net.SplitHostPort(addr)
	port, numErr := strconv.Atoi(text)
	if err != nil || numErr != nil {
		return nil
	}
	for k := port + 1; k < port+100; k++ {
		if ln, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(k))); err == nil {
			return ln
		}
	}
	return nil
}

// exposed says whether a port is plain and others than this machine reach it.
func (p Port) exposed() bool { return !p.TLS && !loopback(p.At) }

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
