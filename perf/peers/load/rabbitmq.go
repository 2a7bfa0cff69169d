package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/message"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"
)

// A stream that sends no chunk for so long is empty.
const rabbitmqEmptyAfter = 2 * time.Second

// The client's default gives the kernel's buffers 8 KiB: less than a segment on the loopback (32 KiB), so that each chunk
// waits for a timer of 200 ms, and a reader of the past gets 0.3 MB/s.
const rabbitmqSocketBytes = 1 << 20

// How many chunks a consumer may be sent beyond what it has handled.
const rabbitmqCredits = 10 // the client's default

type rabbitmq struct {
	o           *options
	fail        failure
	environment *stream.Environment
}

func newRabbitmq(o *options, fail failure) (*rabbitmq, error) {
	environment, err := rabbitmqEnvironment(o)
	return &rabbitmq{o, fail, environment}, err
}

func rabbitmqEnvironment(o *options) (*stream.Environment, error) {
	host, portText, err := net.SplitHostPort(o.address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	// A connection for each producer and consumer, as the other systems have them, is the client's default.
	return stream.NewEnvironment(stream.NewEnvironmentOptions().SetHost(host).SetPort(port).
		SetReadBuffer(rabbitmqSocketBytes).SetWriteBuffer(rabbitmqSocketBytes).
		SetAddressResolver(stream.AddressResolver{Host: host, Port: port}))
}

func (s *rabbitmq) stream(number int) string { return fmt.Sprintf("%s-%d", s.o.topic, number) }

func (s *rabbitmq) create(context.Context) error {
	for number := range s.o.streams {
		if err := s.environment.DeclareStream(s.stream(number), stream.NewStreamOptions()); err != nil {
			return fmt.Errorf("stream '%s': %w", s.stream(number), err)
		}
	}
	return nil
}

func (s *rabbitmq) remove(context.Context) error {
	for number := range s.o.streams {
		if err := s.environment.DeleteStream(s.stream(number)); err != nil {
			return fmt.Errorf("stream '%s': %w", s.stream(number), err)
		}
	}
	return nil
}

func (s *rabbitmq) ends(ctx context.Context) ([]int64, bool, error) {
	counts := make([]int64, s.o.streams)
	problems := make([]error, s.o.streams)
	var asked sync.WaitGroup
	for number := range counts {
		exists, err := s.environment.StreamExists(s.stream(number))
		if err != nil || !exists {
			return nil, false, err
		}
		asked.Go(func() { counts[number], problems[number] = s.end(ctx, number) })
	}
	asked.Wait()
	return counts, true, errors.Join(problems...)
}

// end asks for the last chunk: RabbitMQ before 3.11 does not tell where a stream ends. If none comes there is none; were
// that wrong, a reader would find it out: by --expect, or by records that it was to have no more.
func (s *rabbitmq) end(ctx context.Context, number int) (int64, error) {
	// Of its own: the client gives the connection of a consumer that is being closed to the next one, which then gets nothing.
	environment, err := rabbitmqEnvironment(s.o)
	if err != nil {
		return 0, err
	}
	defer func() { _ = environment.Close() }()
	ends := make(chan int64, 1)
	probe, err := environment.NewConsumer(s.stream(number), func(c stream.ConsumerContext, _ *amqp.Message) {
		select {
		case ends <- c.Consumer.GetOffset() + int64(c.GetEntriesCount()): // of the chunk's first record only
		default:
		}
	}, stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.Last()))
	if err != nil {
		return 0, err
	}
	defer func() { _ = probe.Close() }()
	select {
	case end := <-ends:
		return end, nil
	case <-time.After(rabbitmqEmptyAfter):
		return 0, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

type rabbitmqProducer struct {
	producer *stream.Producer
	closing  *atomic.Bool
	fail     failure
}

// rabbitmqMessage is found again in its confirmation.
type rabbitmqMessage struct {
	message.StreamMessage
	m *outgoing
}

func (s *rabbitmq) producer(_ context.Context, number int) (producer, error) {
	created, err := s.environment.NewProducer(s.stream(number), stream.NewProducerOptions().SetConfirmationTimeOut(s.o.drain))
	if err != nil {
		return nil, err
	}
	p := &rabbitmqProducer{created, &atomic.Bool{}, s.fail}
	confirmations := created.NotifyPublishConfirmation()
	go func() {
		for several := range confirmations {
			for _, one := range several {
				var err error
				if !one.IsConfirmed() {
					if err = one.GetError(); err == nil {
						err = errors.New("not confirmed")
					}
				}
				one.GetMessage().(*rabbitmqMessage).m.done(err)
			}
		}
	}()
	closed := created.NotifyClose()
	go func() {
		event, open := <-closed
		if open && !p.closing.Load() {
			s.fail(fmt.Errorf("the connection was lost: %s", event.Reason))
		}
	}()
	return p, nil
}

// send makes one publish frame of the messages, without entries of several messages and without compression.
func (p *rabbitmqProducer) send(messages []*outgoing) {
	frame := make([]message.StreamMessage, len(messages))
	for i, m := range messages {
		frame[i] = &rabbitmqMessage{amqp.NewMessage(m.value), m}
	}
	if err := p.producer.BatchSend(frame); err != nil {
		p.fail(err)
	}
}

func (p *rabbitmqProducer) close() {
	p.closing.Store(true)
	_ = p.producer.Close()
}

type rabbitmqConsumer struct {
	consumer *stream.Consumer
	closing  *atomic.Bool
}

func (s *rabbitmq) consumer(_ context.Context, number int, got func([]byte)) (consumer, error) {
	handler := func(_ stream.ConsumerContext, m *amqp.Message) { got(m.GetData()) }
	created, err := s.environment.NewConsumer(s.stream(number), handler,
		stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.First()).SetInitialCredits(rabbitmqCredits))
	if err != nil {
		return nil, err
	}
	c := &rabbitmqConsumer{created, &atomic.Bool{}}
	closed := created.NotifyClose()
	go func() {
		event, open := <-closed
		if open && !c.closing.Load() {
			s.fail(fmt.Errorf("the connection was lost: %s", event.Reason))
		}
	}()
	return c, nil
}

func (c *rabbitmqConsumer) close() {
	c.closing.Store(true)
	_ = c.consumer.Close()
}

func (s *rabbitmq) close() { _ = s.environment.Close() }
