package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/redis/rueidis"
)

const (
	redisField       = "v"
	redisReadRecords = 1000 // asked for at once by a reader
	redisBlockMillis = 1000
)

type redis struct {
	o      *options
	fail   failure
	client rueidis.Client
}

func newRedis(o *options, fail failure) (*redis, error) {
	s := &redis{o: o, fail: fail}
	var err error
	s.client, err = s.connect()
	return s, err
}

// connect opens one connection, on which the client pipelines what its callers want at the same time.
func (s *redis) connect() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress:       []string{s.o.address},
		ForceSingleClient: true,
		DisableCache:      true,
		DisableRetry:      true, // what fails is to be seen
		AlwaysPipelining:  true,
		PipelineMultiplex: -1, // one connection
	})
}

func (s *redis) key(number int) string { return fmt.Sprintf("%s:%d", s.o.topic, number) }

// create has nothing to do: the first XADD makes the key.
func (s *redis) create(ctx context.Context) error {
	counts, exists, err := s.ends(ctx)
	if err == nil && exists {
		err = fmt.Errorf("the keys of '%s' are there already, with %v records", s.o.topic, counts)
	}
	return err
}

func (s *redis) remove(ctx context.Context) error {
	for number := range s.o.streams {
		if err := s.client.Do(ctx, s.client.B().Unlink().Key(s.key(number)).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

func (s *redis) ends(ctx context.Context) ([]int64, bool, error) {
	counts := make([]int64, s.o.streams)
	exists := false
	for number := range counts {
		count, err := s.client.Do(ctx, s.client.B().Xlen().Key(s.key(number)).Build()).AsInt64()
		if err != nil {
			return nil, false, err
		}
		counts[number] = count
		exists = exists || count > 0
	}
	return counts, exists, nil
}

type redisProducer struct {
	client rueidis.Client
	key    string
}

func (s *redis) producer(_ context.Context, stream int) (producer, error) {
	client, err := s.connect()
	return &redisProducer{client, s.key(stream)}, err
}

// send is one pipeline of XADDs. The client's calls block, so each request waits on a goroutine of its own; the client
// writes what several of them want in one go.
func (p *redisProducer) send(messages []*outgoing) {
	waiting := append([]*outgoing(nil), messages...) // the caller uses its slice again
	commands := make(rueidis.Commands, len(waiting))
	for i, m := range waiting {
		commands[i] = p.client.B().Xadd().Key(p.key).Id("*").FieldValue().FieldValue(redisField, rueidis.BinaryString(m.value)).Build()
	}
	go func() {
		for i, result := range p.client.DoMulti(context.Background(), commands...) {
			waiting[i].done(result.Error())
		}
	}()
}

func (p *redisProducer) close() { p.client.Close() }

type redisConsumer struct {
	client  rueidis.Client
	closing atomic.Bool
	cancel  context.CancelFunc
	ended   sync.WaitGroup
}

func (s *redis) consumer(ctx context.Context, stream int, got func([]byte)) (consumer, error) {
	client, err := s.connect()
	if err != nil {
		return nil, err
	}
	c := &redisConsumer{client: client}
	ctx, c.cancel = context.WithCancel(ctx)
	c.ended.Add(1)
	go func() {
		defer c.ended.Done()
		for last := "0-0"; !c.closing.Load(); {
			read := client.B().Xread().Count(redisReadRecords).Block(redisBlockMillis).Streams().Key(s.key(stream)).Id(last).Build()
			answer, err := client.Do(ctx, read).AsXReadSlices()
			if rueidis.IsRedisNil(err) {
				continue // nothing came while it was blocked
			}
			if err != nil {
				if !c.closing.Load() && ctx.Err() == nil {
					s.fail(fmt.Errorf("XREAD of %s from %s: %w", s.key(stream), strconv.Quote(last), err))
				}
				return
			}
			for _, entry := range answer[s.key(stream)] {
				last = entry.ID
				got([]byte(entry.FieldValues[0].Value))
			}
		}
	}()
	return c, nil
}

func (c *redisConsumer) close() {
	c.closing.Store(true)
	c.cancel()
	c.client.Close()
	c.ended.Wait()
}

func (s *redis) close() { s.client.Close() }
