package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	modeProduce  = "produce"
	modeEndToEnd = "end-to-end"
	modeConsume  = "consume"
	modeCreate   = "create"
	modeDelete   = "delete"
)

type options struct {
	system, address, mode, topic   string
	streams                        int
	topicConfig                    map[string]string
	connections, inFlight          int
	recordBytes, recordsPerRequest int
	rate                           float64
	seconds, warmup, drain         time.Duration
	bytes, expect                  int64
	tick                           time.Duration
}

const help = `load: one load for several streaming systems, each through its own Go client

usage: load --system S --mode M [options]

what to do
  --system S               kafka (ringlog and Apache Kafka; franz-go), nats (nats.go, JetStream),
                           rabbitmq-streams (rabbitmq-stream-go-client), redis-streams (rueidis)
  --mode M                 produce: closed loop, as fast as acknowledgements come
                           end-to-end: open loop at --rate from producers to tailing consumers; latency runs from when
                             a message was due to be sent. The streams must be empty
                           consume: from the beginning to where the streams end now
                           create, delete: only that
where
  --address HOST:PORT      default 127.0.0.1:9092
  --topic T                default 'load': the topic, or the beginning of the names of streams and keys
  --streams N              default 4: partitions, streams or keys
  --topic-config K=V       for the creation of a Kafka topic; may be repeated
load
  --connections C          default 4, a multiple of --streams: each writes to one stream
  --in-flight F            unacknowledged requests per connection (produce), default 5
  --record-bytes N         bytes of a record's value, at least 32, default 1024
  --records-per-request N  default 64; 1: every record is a request of its own
  --rate R                 messages a second in total (end-to-end)
  --tick-us N              a pacing producer wakes at most this often (end-to-end), default 100
how long
  --seconds S              measured time, default 10 (produce, end-to-end)
  --bytes SIZE             measured bytes instead (produce); k, m, g are powers of 1024
  --warmup S               load before the measured part, default 0
  --drain S                wait for the last answers and messages at most this long, default 30
  --expect N               fail unless the streams hold exactly N records (consume)

Prints one line of JSON. MB is 10^6 bytes of record values. Exit code: 0 only if nothing failed: no error answer, no
lost connection, no unanswered message, none missing, doubled or out of order.

examples:
  load --system kafka --mode produce --topic bulk --topic-config ringlog.durability=fsync --warmup 2
  load --system nats --address 127.0.0.1:4222 --mode produce --records-per-request 1 --connections 16 --in-flight 8
  load --system redis-streams --address 127.0.0.1:6379 --mode end-to-end --rate 10000 --seconds 30
  load --system rabbitmq-streams --address 127.0.0.1:5552 --mode consume --expect 1000000`

func parseSize(text string) (int64, error) {
	lower := strings.ToLower(text)
	shift := map[string]uint{"k": 10, "m": 20, "g": 30}[lower[max(0, len(lower)-1):]]
	if shift > 0 {
		lower = lower[:len(lower)-1]
	}
	n, err := strconv.ParseInt(lower, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("'%s' is not a size such as 65536, 64k or 2g", text)
	}
	return n << shift, nil
}

func parseOptions(args []string) (*options, error) {
	o := &options{topicConfig: map[string]string{}}
	var seconds, warmup, drain float64
	var tickMicros int
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.system, "system", "", "")
	flags.StringVar(&o.address, "address", "127.0.0.1:9092", "")
	flags.StringVar(&o.mode, "mode", modeProduce, "")
	flags.StringVar(&o.topic, "topic", "load", "")
	flags.IntVar(&o.streams, "streams", 4, "")
	flags.Func("topic-config", "", func(text string) error {
		key, value, found := strings.Cut(text, "=")
		if !found {
			return fmt.Errorf("'%s' is not KEY=VALUE", text)
		}
		o.topicConfig[key] = value
		return nil
	})
	flags.IntVar(&o.connections, "connections", 4, "")
	flags.IntVar(&o.inFlight, "in-flight", 5, "")
	flags.IntVar(&o.recordBytes, "record-bytes", 1024, "")
	flags.IntVar(&o.recordsPerRequest, "records-per-request", 64, "")
	flags.Float64Var(&o.rate, "rate", 0, "")
	flags.IntVar(&tickMicros, "tick-us", 100, "")
	flags.Float64Var(&seconds, "seconds", 10, "")
	flags.Func("bytes", "", func(text string) (err error) {
		o.bytes, err = parseSize(text)
		return err
	})
	flags.Float64Var(&warmup, "warmup", 0, "")
	flags.Float64Var(&drain, "drain", 30, "")
	flags.Int64Var(&o.expect, "expect", -1, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Println(help)
			os.Exit(0)
		}
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("'%s' is no option; see --help", flags.Arg(0))
	}
	o.seconds = time.Duration(seconds * 1e9)
	o.warmup = time.Duration(warmup * 1e9)
	o.drain = time.Duration(drain * 1e9)
	o.tick = time.Duration(tickMicros) * time.Microsecond
	return o, o.check()
}

func (o *options) check() error {
	switch o.mode {
	case modeProduce, modeEndToEnd, modeConsume, modeCreate, modeDelete:
	default:
		return fmt.Errorf("--mode: '%s' is none of produce, end-to-end, consume, create, delete", o.mode)
	}
	for _, limit := range []struct {
		name            string
		value, min, max int64
	}{
		{"--streams", int64(o.streams), 1, 10_000},
		{"--connections", int64(o.connections), 1, 10_000},
		{"--in-flight", int64(o.inFlight), 1, 100_000},
		{"--record-bytes", int64(o.recordBytes), headerBytes, 1 << 20},
		{"--records-per-request", int64(o.recordsPerRequest), 1, 100_000},
		{"--tick-us", o.tick.Microseconds(), 1, 1_000_000},
	} {
		if limit.value < limit.min || limit.value > limit.max {
			return fmt.Errorf("%s: %d is not from %d to %d", limit.name, limit.value, limit.min, limit.max)
		}
	}
	if o.connections%o.streams != 0 {
		return fmt.Errorf("--connections: %d is no multiple of the %d streams, which would get unequal load", o.connections, o.streams)
	}
	if len(o.topicConfig) > 0 && o.system != "kafka" {
		return fmt.Errorf("--topic-config: %s has none", o.system)
	}
	if o.mode == modeEndToEnd && (o.rate <= 0 || o.rate > 1e6) {
		return fmt.Errorf("--rate: end-to-end wants a number of messages a second, up to 1,000,000, not %g", o.rate)
	}
	if o.mode != modeEndToEnd && o.rate != 0 {
		return fmt.Errorf("--rate: %s is a closed loop; only end-to-end has a rate", o.mode)
	}
	if o.mode == modeEndToEnd {
		o.recordsPerRequest = 1
	}
	return nil
}
