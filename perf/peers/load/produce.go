package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// produce is a closed loop: each connection has as many requests unanswered as it may, and sends the next when one is
// answered. Only what is answered within the measured time counts.
func produce(ctx context.Context, o *options, s system, t traits, r *result) error {
	if err := createIfMissing(ctx, s); err != nil {
		return err
	}
	slots := o.inFlight
	if t.fillsOneAhead {
		slots++
	}
	var stopped atomic.Bool
	var measuredBytes atomic.Int64
	enough := make(chan struct{})
	var enoughOnce sync.Once
	var senders sync.WaitGroup
	var unanswered atomic.Int64
	lanes := laneNumbers{}
	var connections []*connection
	for index := range o.connections {
		p, err := s.producer(ctx, index%o.streams)
		if err != nil {
			return err
		}
		c := &connection{producer: p, free: make(chan *request, slots)}
		connections = append(connections, c)
		record := r.recorder()
		finished := func(request *request, err error) {
			unanswered.Add(-1)
			if err != nil {
				r.error(err)
			} else {
				r.acknowledgedBytes.Add(request.bytes())
				if r.measuring.Load() {
					record.record(int64(len(request.messages)), request.bytes(), now()-request.due)
					if o.bytes > 0 && measuredBytes.Add(request.bytes()) >= o.bytes {
						enoughOnce.Do(func() { close(enough) })
					}
				}
			}
			c.free <- request
		}
		shared := lanes.new()
		for range slots {
			own := shared
			if t.order == lanePerRequest {
				own = lanes.new()
			}
			c.free <- newRequest(o.recordsPerRequest, o.recordBytes, own, finished)
		}
	}
	randomPool() // made before the time runs
	for _, c := range connections {
		senders.Add(1)
		go func() {
			defer senders.Done()
			random := newRandomBytes()
			for !stopped.Load() {
				select {
				case request := <-c.free:
					request.prepare(now(), random)
					unanswered.Add(1)
					c.producer.send(request.messages)
				case <-ctx.Done():
					return
				}
			}
		}()
	}

	wait(ctx, o.warmup)
	r.begin()
	if o.bytes > 0 {
		select {
		case <-enough:
		case <-ctx.Done():
		}
	} else {
		wait(ctx, o.seconds)
	}
	r.end()
	stopped.Store(true)
	senders.Wait() // each waits for one more answer at most, and sends nothing then but that
	drain(ctx, o.drain, func() bool { return unanswered.Load() == 0 })
	r.unanswered = unanswered.Load()
	for _, c := range connections {
		c.producer.close()
	}
	return context.Cause(ctx)
}

type connection struct {
	producer producer
	free     chan *request
}

// laneNumbers gives each lane of this process its number.
type laneNumbers struct{ count uint32 }

func (n *laneNumbers) new() *lane {
	n.count++
	return &lane{id: n.count - 1}
}

func createIfMissing(ctx context.Context, s system) error {
	_, exists, err := s.ends(ctx)
	if err == nil && !exists {
		err = s.create(ctx)
	}
	return err
}

// wait ends early when the run has failed.
func wait(ctx context.Context, duration time.Duration) {
	if duration <= 0 {
		return
	}
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// drain waits until it is empty, the time is over or the run has failed.
func drain(ctx context.Context, most time.Duration, empty func() bool) {
	const poll = 2 * time.Millisecond
	for waited := time.Duration(0); waited < most && !empty() && ctx.Err() == nil; waited += poll {
		wait(ctx, poll)
	}
}
