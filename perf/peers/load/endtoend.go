package main

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// So many messages of one connection may be unacknowledged. Whoever waits for a place is late, and its latency says so.
const unacknowledgedMax = 1 << 15

// onTheWay are the due times of what was sent and has not been received. What never comes counts with the age that it
// has at the end: otherwise a system that does not keep up would have the best percentiles.
type onTheWay struct {
	mutex sync.Mutex
	dues  map[int64]int
}

func (w *onTheWay) add(due int64, count int) {
	w.mutex.Lock()
	if w.dues[due] += count; w.dues[due] == 0 {
		delete(w.dues, due)
	}
	w.mutex.Unlock()
}

// recordAges gives how many they were.
func (w *onTheWay) recordAges(record *recorder, measured func(due int64) bool) (count int64) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	at := now()
	for due, times := range w.dues {
		for range times {
			if measured(due) {
				_ = record.latency.RecordValue(min(at-due, record.latency.HighestTrackableValue()))
				count++
			}
		}
	}
	return count
}

// endToEnd is an open loop: messages are due at even distances whatever the system does, and time runs from then until
// a tailing consumer of this process has them. Producer and consumer share a clock.
func endToEnd(ctx context.Context, o *options, s system, t traits, r *result) ([]*recorder, error) {
	if err := createIfMissing(ctx, s); err != nil {
		return nil, err
	}
	ends, _, err := s.ends(ctx)
	if err != nil {
		return nil, err
	}
	for stream, end := range ends {
		if end != 0 {
			return nil, fmt.Errorf("stream %d of '%s' has %d records already: end-to-end wants empty streams", stream, o.topic, end)
		}
	}
	// Pacers sit in a system call; the others need processors all the same.
	runtime.GOMAXPROCS(runtime.NumCPU() + min(o.connections, 8))

	var from, until atomic.Int64 // the measured part, as due times
	until.Store(1 << 62)
	from.Store(1 << 62)
	measured := func(due int64) bool { return due >= from.Load() && due < until.Load() }
	received := &atomic.Int64{}
	late := &onTheWay{dues: map[int64]int{}}
	var checkers []*checker
	for stream := range ends {
		record, check := r.recorder(), newChecker()
		checkers = append(checkers, check)
		c, err := s.consumer(ctx, stream, func(value []byte) {
			at := now()
			due := check.got(value)
			late.add(due, -1)
			if measured(due) {
				record.record(1, int64(len(value)), at-due)
			}
			received.Add(1)
		})
		if err != nil {
			return nil, err
		}
		defer c.close()
	}

	var acknowledgements []*recorder
	var pacers sync.WaitGroup
	var sent, answered, stopAt atomic.Int64
	stopAt.Store(1 << 62)
	lanes := laneNumbers{}
	interval := float64(o.connections) * 1e9 / o.rate // nanoseconds between two messages of a connection
	randomPool()
	var producers []producer
	for index := range o.connections {
		p, err := s.producer(ctx, index%o.streams)
		if err != nil {
			return nil, err
		}
		producers = append(producers, p)
	}
	start := now() + 100e6
	for index, p := range producers {
		acks := newRecorder()
		acknowledgements = append(acknowledgements, acks)
		free := make(chan *request, unacknowledgedMax)
		finished := func(request *request, err error) {
			if err != nil {
				r.error(err)
			} else {
				r.acknowledgedBytes.Add(request.bytes())
				if measured(request.due) {
					acks.record(1, request.bytes(), now()-request.due)
				}
			}
			answered.Add(1)
			free <- request
		}
		shared := lanes.new()
		pace := &pacer{interval: interval, start: float64(start) + interval*float64(index)/float64(o.connections), tick: o.tick.Nanoseconds()}
		if t.order == lanePerRequest {
			shared = nil
		}
		pace.take = taker(ctx, o, free, shared, &lanes, finished)
		pacers.Add(1)
		go func() {
			defer pacers.Done()
			pace.run(ctx, p, &stopAt, &sent, late)
		}()
	}

	sleepUntil(start)
	wait(ctx, o.warmup)
	from.Store(start + o.warmup.Nanoseconds())
	until.Store(from.Load() + o.seconds.Nanoseconds())
	r.begin()
	wait(ctx, o.seconds)
	r.end()
	stopAt.Store(until.Load())
	pacers.Wait()
	drain(ctx, o.drain, func() bool { return answered.Load() == sent.Load() && received.Load() >= sent.Load() })
	r.unanswered = sent.Load() - answered.Load()
	r.missing = max(0, sent.Load()-received.Load())
	r.neverReceived = late.recordAges(r.recorder(), measured)
	for _, p := range producers {
		p.close()
	}
	return acknowledgements, chainOf(ctx, r, checkers)
}

func chainOf(ctx context.Context, r *result, checkers []*checker) error {
	for _, check := range checkers {
		r.chain(check)
	}
	return context.Cause(ctx)
}

var laneMutex sync.Mutex

// taker gives a function that finds a request whose memory is free, or makes one while there are not too many.
func taker(ctx context.Context, o *options, free chan *request, shared *lane, lanes *laneNumbers, finished func(*request, error)) func() *request {
	made := 0
	return func() *request {
		select {
		case one := <-free:
			return one
		default:
		}
		if made < unacknowledgedMax {
			made++
			own := shared
			if own == nil {
				laneMutex.Lock()
				own = lanes.new()
				laneMutex.Unlock()
			}
			return newRequest(1, o.recordBytes, own, finished)
		}
		select {
		case one := <-free:
			return one
		case <-ctx.Done():
			return nil
		}
	}
}

// A pacer sends on one connection what is due. It sleeps in the kernel, whose timer is exact to some 50 µs; the timers
// of Go's runtime are only exact to a millisecond when little happens.
type pacer struct {
	interval, start float64
	tick            int64
	take            func() *request
}

func (p *pacer) run(ctx context.Context, to producer, stopAt, sent *atomic.Int64, late *onTheWay) {
	random := newRandomBytes()
	var messages []*outgoing
	for number := 0; ctx.Err() == nil; {
		due := int64(p.start + float64(number)*p.interval)
		if due >= stopAt.Load() {
			return
		}
		sleepUntil(due)
		messages = messages[:0]
		for at := now(); due <= at && due < stopAt.Load(); due = int64(p.start + float64(number)*p.interval) {
			one := p.take()
			if one == nil {
				return
			}
			one.prepare(due, random)
			late.add(due, 1)
			messages = append(messages, one.messages[0])
			number++
			if len(messages) == 64 {
				break // a late producer sends what it has rather than to gather more
			}
		}
		if len(messages) == 0 {
			continue
		}
		sent.Add(int64(len(messages)))
		to.send(messages)
		if next := now() + p.tick; float64(next) > p.start+float64(number)*p.interval && due > now() {
			sleepUntil(next)
		}
	}
}

// sleepUntil returns at or after a time of our clock.
func sleepUntil(at int64) {
	for rest := at - now(); rest > 0; rest = at - now() {
		pause := unix.NsecToTimespec(rest)
		_ = unix.Nanosleep(&pause, nil)
	}
}
