package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// What a record batch of the Kafka protocol takes beside its records' values, at most.
const (
	batchOverhead  = 61
	recordOverhead = 21
)

// The client remembers for 5 s, as a rule, that a topic is not there, and create waits for it.
const metadataMinAge = 50 * time.Millisecond

type kafka struct {
	o     *options
	fail  failure
	admin *kadm.Client
}

func newKafka(o *options, fail failure) *kafka {
	k := &kafka{o: o, fail: fail}
	client, _ := kgo.NewClient(kgo.SeedBrokers(o.address), kgo.MetadataMinAge(metadataMinAge))
	k.admin = kadm.NewClient(client)
	return k
}

// lostConnections is a hook that reports connections which end while they should not.
type lostConnections struct {
	fail    failure
	closing *atomic.Bool
}

func (l lostConnections) OnBrokerDisconnect(meta kgo.BrokerMetadata, _ net.Conn) {
	if !l.closing.Load() {
		l.fail(fmt.Errorf("the connection to broker %d was lost", meta.NodeID))
	}
}

func (k *kafka) create(ctx context.Context) error {
	configs := map[string]*string{}
	for name, value := range k.o.topicConfig {
		configs[name] = &value
	}
	answer, err := k.admin.CreateTopic(ctx, int32(k.o.streams), 1, configs, k.o.topic)
	if err != nil {
		return fmt.Errorf("topic '%s': %w %s", k.o.topic, err, answer.ErrMessage)
	}
	for range 200 { // until each partition has its leader
		if _, exists, err := k.ends(ctx); err == nil && exists {
			return nil
		}
		wait(ctx, 50*time.Millisecond)
	}
	return fmt.Errorf("topic '%s' was created but is not ready after 10 s", k.o.topic)
}

func (k *kafka) remove(ctx context.Context) error {
	_, err := k.admin.DeleteTopic(ctx, k.o.topic)
	return err
}

func (k *kafka) ends(ctx context.Context) ([]int64, bool, error) {
	listed, err := k.admin.ListEndOffsets(ctx, k.o.topic)
	if err == nil {
		err = listed.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	partitions := listed[k.o.topic]
	if len(partitions) == 0 {
		return nil, false, nil
	}
	if len(partitions) != k.o.streams {
		return nil, true, fmt.Errorf("topic '%s' has %d partitions, not %d", k.o.topic, len(partitions), k.o.streams)
	}
	counts := make([]int64, k.o.streams)
	for partition, end := range partitions {
		counts[partition] = end.Offset
	}
	return counts, true, nil
}

type kafkaProducer struct {
	client  *kgo.Client
	topic   string
	stream  int32
	closing atomic.Bool
}

func (k *kafka) producer(ctx context.Context, stream int) (producer, error) {
	p := &kafkaProducer{topic: k.o.topic, stream: int32(stream)}
	linger := time.Duration(0)
	// As many records as a request has fit into a batch, and not one more. The client takes one batch of a partition
	// into a request, so this also is the size of the request.
	batch := batchOverhead + k.o.recordsPerRequest*(k.o.recordBytes+recordOverhead)
	switch {
	case k.o.mode == modeEndToEnd:
		batch = 1_000_000 // the client gathers what comes while requests are under way
	case k.o.recordsPerRequest > 1:
		linger = 5 * time.Millisecond // a batch that is full goes at once
	}
	inFlight := k.o.inFlight
	var err error
	p.client, err = kgo.NewClient(
		kgo.SeedBrokers(k.o.address),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// As the other systems' clients, and kload: no deduplication. Then a failed request must not be sent again.
		kgo.DisableIdempotentWrite(),
		kgo.RecordRetries(0),
		kgo.MaxProduceRequestsInflightPerBroker(inFlight),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(int32(max(batch, 512))),
		kgo.ProducerLinger(linger),
		kgo.MaxBufferedRecords(1<<20),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.WithHooks(lostConnections{k.fail, &p.closing}),
	)
	if err != nil {
		return nil, err
	}
	return p, p.client.Ping(ctx)
}

func (p *kafkaProducer) send(messages []*outgoing) {
	for _, m := range messages {
		record := &kgo.Record{Topic: p.topic, Partition: p.stream, Value: m.value}
		p.client.Produce(context.Background(), record, func(_ *kgo.Record, err error) { m.done(err) })
	}
}

func (p *kafkaProducer) close() {
	p.closing.Store(true)
	p.client.Close()
}

type kafkaConsumer struct {
	client  *kgo.Client
	closing atomic.Bool
	ended   sync.WaitGroup
}

func (k *kafka) consumer(ctx context.Context, stream int, got func([]byte)) (consumer, error) {
	c := &kafkaConsumer{}
	var err error
	c.client, err = kgo.NewClient(
		kgo.SeedBrokers(k.o.address),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{k.o.topic: {int32(stream): kgo.NewOffset().AtStart()}}),
		kgo.WithHooks(lostConnections{k.fail, &c.closing}),
	)
	if err != nil {
		return nil, err
	}
	c.ended.Add(1)
	go func() {
		defer c.ended.Done()
		for !c.closing.Load() {
			fetches := c.client.PollFetches(ctx)
			if err := fetches.Err0(); err != nil && !c.closing.Load() && ctx.Err() == nil {
				k.fail(err)
				return
			}
			fetches.EachError(func(_ string, partition int32, err error) {
				if !c.closing.Load() && ctx.Err() == nil {
					k.fail(fmt.Errorf("partition %d: %w", partition, err))
				}
			})
			fetches.EachRecord(func(record *kgo.Record) { got(record.Value) })
			if ctx.Err() != nil {
				return
			}
		}
	}()
	return c, nil
}

func (c *kafkaConsumer) close() {
	c.closing.Store(true)
	c.client.Close()
	c.ended.Wait()
}

func (k *kafka) close() { k.admin.Close() }
