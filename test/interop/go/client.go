package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const timeMax = 60 * time.Second

// Client is what all checks use: producing, reading partitions by assignment, topics made by the admin client.
type Client struct {
	bootstrap string
	admin     *kadm.Client
	topics    int
}

func newClient(bootstrap string) *Client {
	return &Client{bootstrap: bootstrap, admin: kadm.NewClient(must(kgo.NewClient(kgo.SeedBrokers(bootstrap))))}
}

func limited() context.Context {
	// Released with its time: a check is short.
	ctx, cancel := context.WithTimeout(context.Background(), timeMax)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// topic makes a fresh one; settings are names and values in turn.
func (c *Client) topic(partitions int32, settings ...string) string {
	c.topics++
	name := fmt.Sprintf("franz-go-%d", c.topics)
	must(c.admin.CreateTopic(limited(), partitions, 1, settingsOf(settings...), name))
	return name
}

func settingsOf(settings ...string) map[string]*string {
	configs := map[string]*string{}
	for at := 0; at < len(settings); at += 2 {
		configs[settings[at]] = &settings[at+1]
	}
	return configs
}

func (c *Client) producer(options ...kgo.Opt) *kgo.Client {
	// Idempotence, its default, has a check of its own.
	return must(kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.bootstrap), kgo.DisableIdempotentWrite(), kgo.RecordPartitioner(kgo.ManualPartitioner())}, options...)...))
}

// produce sends the records and returns the first error.
func (c *Client) produce(topic string, records []*kgo.Record, options ...kgo.Opt) error {
	producer := c.producer(options...)
	defer producer.Close()
	for _, record := range records {
		record.Topic = topic
	}
	return producer.ProduceSync(limited(), records...).FirstErr()
}

func (c *Client) mustProduce(topic string, records []*kgo.Record, options ...kgo.Opt) {
	if err := c.produce(topic, records, options...); err != nil {
		panic(err)
	}
}

func (c *Client) consumer(topic string, offsets map[int32]kgo.Offset, options ...kgo.Opt) *kgo.Client {
	all := append([]kgo.Opt{
		kgo.SeedBrokers(c.bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	}, options...)
	return must(kgo.NewClient(all...))
}

// take polls until it has count records, and returns the first error.
func take(consumer *kgo.Client, count int) ([]*kgo.Record, error) {
	records := make([]*kgo.Record, 0, count)
	ctx := limited()
	for len(records) < count {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return records, fmt.Errorf("after %d of %d records: %w", len(records), count, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

// read gives the count records of a partition from offset on.
func (c *Client) read(topic string, partition int32, offset int64, count int) []*kgo.Record {
	consumer := c.consumer(topic, map[int32]kgo.Offset{partition: kgo.NewOffset().At(offset)})
	defer consumer.Close()
	return must(take(consumer, count))
}

func texts(count int) []*kgo.Record {
	records := make([]*kgo.Record, count)
	for n := range records {
		records[n] = &kgo.Record{Value: fmt.Appendf(nil, "message %d of %d", n, count)}
	}
	return records
}

func expectSame(got, sent []*kgo.Record) {
	expect(len(got) == len(sent), "%d records instead of %d", len(got), len(sent))
	for at := range sent {
		expect(string(got[at].Value) == string(sent[at].Value), "record %d has another value", at)
	}
}
