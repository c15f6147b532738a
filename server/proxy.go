package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// proxyListener is for a load balancer in front: each connection begins with a
// PROXY header, version 1 or 2, that says who the client is.
// Spec: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
type proxyListener struct {
	net.Listener
	log   *slog.Logger
	limit time.Duration // for the header

	ready chan accepted
	done  chan struct{} // closed by Close
	stop  sync.Once
	wg    sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

func newProxyListener(l net.Listener, log *slog.Logger, limit time.Duration) *proxyListener {
	p := &proxyListener{Listener: l, log: log, limit: limit, ready: make(chan accepted), done: make(chan struct{})}
	p.wg.Go(p.run) // ends when Close closes the listener
	return p
}

// Accept implements net.Listener.
func (p *proxyListener) Accept() (net.Conn, error) {
	select {
	case a := <-p.ready:
		return a.conn, a.err
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p *proxyListener) Close() error {
	err := net.ErrClosed
	p.stop.Do(func() {
		err = p.Listener.Close()
		close(p.done)
		p.wg.Wait()
	})
	return err
}

// run accepts; a header is waited for beside, so that one client that sends
// none keeps nobody out.
func (p *proxyListener) run() {
	for {
		c, err := p.Listener.Accept()
		if err == nil {
			p.wg.Go(func() { p.introduce(c) }) // ends with the header, its limit, or Close
			continue
		}
		if !p.hand(accepted{err: err}) {
			return
		}
	}
}

// hand gives a connection or an error to Accept; false after Close.
func (p *proxyListener) hand(a accepted) bool {
	select {
	case p.ready <- a:
		return true
	case <-p.done:
		return false
	}
}

func (p *proxyListener) introduce(c net.Conn) {
	over := make(chan struct{})
	defer close(over)
	p.wg.Go(func() { // ends with the header, or closes the connection at Close
		select {
		case <-over:
		case <-p.done:
			c.Close()
		}
	})
	_ = c.SetReadDeadline(time.Now().Add(p.limit)) // a connection that cannot have one fails below
	from, to, err := readProxyHeader(c)
	if err != nil {
		p.log.Log(context.Background(), slog.LevelInfo+2, fmt.Sprintf("PROXY header of %s: %v", c.RemoteAddr(), err))
		c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	if from.IsValid() {
		c = proxied(c, from, to)
	}
	if !p.hand(accepted{conn: c}) {
		c.Close()
	}
}

// proxied is a connection with the addresses of the client behind it.
func proxied(c net.Conn, from, to netip.AddrPort) net.Conn {
	if t, ok := c.(*net.TCPConn); ok {
		return &proxiedConn{t, net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to)}
	}
	return c
}

type proxiedConn struct {
	*net.TCPConn
	from, to net.Addr
}

// RemoteAddr is the client's.
func (c *proxiedConn) RemoteAddr() net.Addr { return c.from }

// LocalAddr is the one that the client connected to.
func (c *proxiedConn) LocalAddr() net.Addr { return c.to }

const (
	proxyV2     = "\r\n\r\n\x00\r\nQUIT\n"
	proxyV1Most = 107  // octets of a line of version 1
	proxyV2Most = 2048 // octets of addresses and extensions of version 2
)

var errNoProxy = errors.New("there is none")

// readProxyHeader reads a header and not an octet more. The addresses are not
// valid when the proxy speaks for itself.
func readProxyHeader(r io.Reader) (from, to netip.AddrPort, err error) {
	var head [12]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return from, to, err
	}
	switch {
	case string(head[:]) == proxyV2:
		return readProxyV2(r)
	case bytes.HasPrefix(head[:], []byte("PROXY ")):
		return readProxyV1(r, head[:])
	}
	return from, to, errNoProxy
}

// readProxyV1 reads the rest of "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".
func readProxyV1(r io.Reader, line []byte) (from, to netip.AddrPort, err error) {
	var b [1]byte
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == proxyV1Most {
			return from, to, errors.New("the line is too long")
		}
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return from, to, err
		}
		line = append(line, b[0])
	}
	fields := strings.Split(strings.TrimSuffix(string(line), "\r\n"), " ")
	if fields[1] == "UNKNOWN" {
		return from, to, nil
	}
	if len(fields) != 6 || fields[1] != "TCP4" && fields[1] != "TCP6" {
		return from, to, errors.New("the line is malformed")
	}
	if from, err = endpoint(fields[2], fields[4]); err == nil {
		to, err = endpoint(fields[3], fields[5])
	}
	return from, to, err
}

func endpoint(ip, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return netip.AddrPort{}, errors.New("the address is malformed")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, errors.New("the port is malformed")
	}
	return netip.AddrPortFrom(a.WithZone(""), uint16(n)), nil
}

// readProxyV2 reads what follows the signature.
func readProxyV2(r io.Reader) (from, to netip.AddrPort, err error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return from, to, err
	}
	size := int(binary.BigEndian.Uint16(fixed[2:]))
	if fixed[0]>>4 != 2 || size > proxyV2Most {
		return from, to, errors.New("the header is malformed")
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(r, rest); err != nil {
		return from, to, err
	}
	if fixed[0]&15 == 0 { // LOCAL: the proxy looks whether we are there
		return from, to, nil
	}
	n := map[byte]int{0x11: 4, 0x21: 16}[fixed[1]] // TCP over IPv4, IPv6
	if n == 0 {
		return from, to, nil
	}
	if len(rest) < 2*n+4 {
		return from, to, errors.New("the header is cut off")
	}
	source, _ := netip.AddrFromSlice(rest[:n])
	target, _ := netip.AddrFromSlice(rest[n : 2*n])
	from = netip.AddrPortFrom(source, binary.BigEndian.Uint16(rest[2*n:]))
	to = netip.AddrPortFrom(target, binary.BigEndian.Uint16(rest[2*n+2:]))
	return from, to, nil
}
