// load puts one kind of load on several streaming systems, each through its own Go client, and prints one line of JSON.
// Start reading at driver.go (what a system is), then produce.go, endtoend.go and consume.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Println(help)
		return
	}
	o, err := parseOptions(os.Args[1:])
	if err == nil {
		err = start(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

var errUnsound = errors.New("not everything was answered, or arrived, as it should: see the report")

func start(o *options) error {
	// Memory is there; collecting it seldom keeps the client's pauses out of the percentiles.
	debug.SetGCPercent(400)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	r := newResult()
	var ending atomic.Bool // connections that we close ourselves are not lost
	fail := func(err error) {
		if ending.Load() {
			return
		}
		r.errorsMutex.Lock()
		r.lost++
		r.errorsMutex.Unlock()
		cancel(err)
	}
	s, t, err := open(o, fail)
	if err != nil {
		return err
	}
	defer s.close()
	defer ending.Store(true)
	var acknowledgements []*recorder
	switch o.mode {
	case modeCreate:
		return s.create(ctx)
	case modeDelete:
		return s.remove(ctx)
	case modeConsume:
		err = consume(ctx, o, s, r)
	case modeEndToEnd:
		acknowledgements, err = endToEnd(ctx, o, s, t, r)
	default:
		err = produce(ctx, o, s, t, r)
	}
	ending.Store(true)
	if r.beganAt == 0 {
		return err
	}
	r.end()
	r.print(o, acknowledgements)
	if err == nil && r.failureCause != "" {
		err = errors.New(r.failureCause)
	}
	if err == nil && !r.sound() {
		err = errUnsound
	}
	return err
}
