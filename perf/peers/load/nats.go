package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// So many messages a pull consumer asks for at once. Its default of 500 leaves a reader of the past waiting.
const natsPullMessages = 4096

// natsSystem has one JetStream stream for each stream of ours, rather than one with several subjects: a stream is the
// unit that the server locks and writes, so whoever wants throughput from it spreads over several.
type natsSystem struct {
	o    *options
	fail failure
	nc   *nats.Conn
	js   jetstream.JetStream
}

func newNats(o *options, fail failure) (*natsSystem, error) {
	s := &natsSystem{o: o, fail: fail}
	var err error
	s.nc, s.js, err = s.connect()
	return s, err
}

func (s *natsSystem) connect(options ...jetstream.JetStreamOpt) (*nats.Conn, jetstream.JetStream, error) {
	nc, err := nats.Connect("nats://"+s.o.address,
		nats.NoReconnect(),
		nats.ClosedHandler(func(nc *nats.Conn) { s.fail(fmt.Errorf("the connection was lost: %v", nc.LastError())) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.fail(err) }),
	)
	if err != nil {
		return nil, nil, err
	}
	js, err := jetstream.New(nc, options...)
	return nc, js, err
}

func (s *natsSystem) stream(number int) string  { return fmt.Sprintf("%s-%d", s.o.topic, number) }
func (s *natsSystem) subject(number int) string { return fmt.Sprintf("%s.%d", s.o.topic, number) }

func (s *natsSystem) create(ctx context.Context) error {
	for number := range s.o.streams {
		_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
			Name:      s.stream(number),
			Subjects:  []string{s.subject(number)},
			Storage:   jetstream.FileStorage,
			Retention: jetstream.LimitsPolicy,
			Replicas:  1,
		})
		if err != nil {
			return fmt.Errorf("stream '%s': %w", s.stream(number), err)
		}
	}
	return nil
}

func (s *natsSystem) remove(ctx context.Context) error {
	for number := range s.o.streams {
		if err := s.js.DeleteStream(ctx, s.stream(number)); err != nil {
			return fmt.Errorf("stream '%s': %w", s.stream(number), err)
		}
	}
	return nil
}

func (s *natsSystem) ends(ctx context.Context) ([]int64, bool, error) {
	counts := make([]int64, s.o.streams)
	for number := range counts {
		stream, err := s.js.Stream(ctx, s.stream(number))
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		counts[number] = int64(stream.CachedInfo().State.Msgs)
	}
	return counts, true, nil
}

type natsProducer struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	subject string
	fail    failure
	pending chan sentMessage // in the order in which they were sent, which is that of the acknowledgements
}

type sentMessage struct {
	wire *nats.Msg
	m    *outgoing
}

func (s *natsSystem) producer(_ context.Context, stream int) (producer, error) {
	most := max(s.o.inFlight*s.o.recordsPerRequest, unacknowledgedMax)
	p := &natsProducer{subject: s.subject(stream), fail: s.fail, pending: make(chan sentMessage, most)}
	answered := func(wire *nats.Msg, err error) {
		sent := <-p.pending
		if sent.wire != wire {
			s.fail(errors.New("acknowledgements came in another order than their messages were sent"))
		}
		sent.m.done(err)
	}
	var err error
	p.nc, p.js, err = s.connect(
		jetstream.WithPublishAsyncMaxPending(most),
		jetstream.WithPublishAsyncAckHandler(func(_ jetstream.JetStream, wire *nats.Msg, _ *jetstream.PubAck) { answered(wire, nil) }),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, wire *nats.Msg, err error) { answered(wire, err) }),
	)
	return p, err
}

func (p *natsProducer) send(messages []*outgoing) {
	for _, m := range messages {
		wire := &nats.Msg{Subject: p.subject, Data: m.value}
		p.pending <- sentMessage{wire, m}
		if _, err := p.js.PublishMsgAsync(wire, jetstream.WithStallWait(time.Minute)); err != nil {
			p.fail(err)
			return
		}
	}
}

func (p *natsProducer) close() { closeQuietly(p.nc) }

func closeQuietly(nc *nats.Conn) {
	nc.SetClosedHandler(nil)
	nc.Close()
}

type natsConsumer struct {
	nc      *nats.Conn
	consume jetstream.ConsumeContext
}

// consumer is an ordered consumer, which the client offers to read a stream in order and alone.
func (s *natsSystem) consumer(ctx context.Context, stream int, got func([]byte)) (consumer, error) {
	nc, js, err := s.connect()
	if err != nil {
		return nil, err
	}
	ordered, err := js.OrderedConsumer(ctx, s.stream(stream), jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return nil, err
	}
	consuming, err := ordered.Consume(func(m jetstream.Msg) { got(m.Data()) },
		jetstream.PullMaxMessages(natsPullMessages),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			// A server that is behind says so late; the client asks it again by itself, and what comes late counts as late.
			if !errors.Is(err, jetstream.ErrNoHeartbeat) {
				s.fail(err)
			}
		}),
	)
	if err != nil {
		return nil, err
	}
	return &natsConsumer{nc, consuming}, nil
}

func (c *natsConsumer) close() {
	c.consume.Stop()
	closeQuietly(c.nc)
}

func (s *natsSystem) close() { s.nc.Close() }
