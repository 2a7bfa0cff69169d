package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Records are counted in steps, so that many streams do not fight for a counter.
const countedAtOnce = 64

// consume reads all streams, each on a connection of its own, from the beginning to where they ended at the start.
func consume(ctx context.Context, o *options, s system, r *result) error {
	ends, exists, err := s.ends(ctx)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("'%s' is not there", o.topic)
	}
	var total int64
	for _, end := range ends {
		total += end
	}
	if o.expect >= 0 && total != o.expect {
		return fmt.Errorf("the streams hold %d records, not the %d expected", total, o.expect)
	}
	if total == 0 {
		return fmt.Errorf("the streams of '%s' are empty: nothing to measure", o.topic)
	}
	var rest sync.WaitGroup
	readers := make([]*reader, len(ends))
	for stream := range ends {
		readers[stream] = &reader{checker: newChecker(), record: r.recorder(), end: ends[stream], ended: rest.Done}
		if ends[stream] > 0 {
			rest.Add(1)
		}
	}
	r.begin()
	for stream, one := range readers {
		if one.end == 0 {
			continue
		}
		c, err := s.consumer(ctx, stream, one.got)
		if err != nil {
			return err
		}
		defer c.close()
	}
	allRead := make(chan struct{})
	go func() {
		rest.Wait()
		close(allRead)
	}()
	for previous := int64(-1); ; {
		stuck := time.NewTimer(o.drain) // a whole such time without a record
		select {
		case <-allRead:
		case <-ctx.Done():
		case <-stuck.C:
			if sum := sumOf(readers); sum != previous {
				previous = sum
				continue
			}
		}
		stuck.Stop()
		break
	}
	r.end()
	r.missing = total - sumOf(readers)
	for _, one := range readers {
		r.chain(one.checker)
	}
	return context.Cause(ctx)
}

// A reader counts one stream; got is called from one goroutine.
type reader struct {
	checker      *checker
	record       *recorder
	count, end   int64
	seen         atomic.Int64
	uncounted    int64
	uncountBytes int64
	ended        func()
}

func (r *reader) got(value []byte) {
	if r.count >= r.end {
		return // written after we began
	}
	r.checker.got(value)
	r.count++
	r.uncounted++
	r.uncountBytes += int64(len(value))
	if r.uncounted < countedAtOnce && r.count < r.end {
		return
	}
	r.record.record(r.uncounted, r.uncountBytes, -1)
	r.uncounted, r.uncountBytes = 0, 0
	r.seen.Store(r.count)
	if r.count == r.end {
		r.ended()
	}
}

func sumOf(readers []*reader) (sum int64) {
	for _, one := range readers {
		sum += one.seen.Load()
	}
	return sum
}

func (r *result) chain(c *checker) {
	if c.problems > 0 {
		r.chainErrors += c.problems
		r.failureCause = c.first
	}
}
