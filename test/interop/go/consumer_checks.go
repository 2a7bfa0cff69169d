package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	count   = 1000
	beginMs = 1_700_000_000_000
)

// numbered makes a topic with the numbers 0 … count-1 in each partition; number n has timestamp beginMs + 10 n.
func numbered(client *Client, partitions int32, options ...kgo.Opt) string {
	topic := client.topic(partitions)
	var records []*kgo.Record
	for n := range count {
		for partition := range partitions {
			records = append(records, &kgo.Record{Value: strconv.AppendInt(nil, int64(n), 10), Partition: partition, Timestamp: time.UnixMilli(beginMs + 10*int64(n))})
		}
	}
	client.mustProduce(topic, records, append([]kgo.Opt{kgo.ProducerBatchMaxBytes(5000), kgo.ProducerBatchCompression(kgo.NoCompression())}, options...)...)
	return topic
}

func expectNumbers(records []*kgo.Record, from int) {
	for at, record := range records {
		expect(string(record.Value) == strconv.Itoa(from+at), "number %s instead of %d", record.Value, from+at)
	}
}

func consumerChecks(checks *Checks, client *Client) {
	checks.Add("from-beginning", "ConsumePartitions at the start", func() error {
		consumer := client.consumer(numbered(client, 1), map[int32]kgo.Offset{0: kgo.NewOffset().AtStart()})
		defer consumer.Close()
		expectNumbers(must(take(consumer, count)), 0)
		return nil
	})
	checks.Add("from-offset", "an offset in the middle of a batch", func() error {
		topic := numbered(client, 1)
		for _, offset := range []int{0, 1, 537, count - 1} {
			expectNumbers(client.read(topic, 0, int64(offset), count-offset), offset)
		}
		return nil
	})
	checks.Add("from-offset", "out of range: an error by name", func() error {
		consumer := client.consumer(numbered(client, 1), map[int32]kgo.Offset{0: kgo.NewOffset().At(count + 5)})
		defer consumer.Close()
		_, err := take(consumer, 1)
		expectError(err, kerr.OffsetOutOfRange)
		return nil
	})
	checks.Add("from-tail", "the last 7", func() error {
		consumer := client.consumer(numbered(client, 1), map[int32]kgo.Offset{0: kgo.NewOffset().AtEnd().Relative(-7)})
		defer consumer.Close()
		expectNumbers(must(take(consumer, 7)), count-7)
		return nil
	})
	checks.Add("from-end", "the end sees only what comes later, at once", func() error {
		topic := numbered(client, 1)
		consumer := client.consumer(topic, map[int32]kgo.Offset{0: kgo.NewOffset().AtEnd()}, kgo.FetchMaxWait(15*time.Second))
		defer consumer.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		early := consumer.PollFetches(ctx)
		expect(early.Empty() && errors.Is(early.Err(), context.DeadlineExceeded), "%d records, %v", early.NumRecords(), early.Err())
		started := time.Now()
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("4711")}})
		got := must(take(consumer, 1))
		expect(string(got[0].Value) == "4711" && got[0].Offset == count, "%s at %d", got[0].Value, got[0].Offset)
		expect(time.Since(started) < 7500*time.Millisecond, "a waiting fetch was not answered before its time was up")
		return nil
	})
	checks.Add("from-timestamp", "AfterMilli", func() error {
		consumer := client.consumer(numbered(client, 1), map[int32]kgo.Offset{0: kgo.NewOffset().AfterMilli(beginMs + 5000)})
		defer consumer.Close()
		expectNumbers(must(take(consumer, count-500)), 500)
		return nil
	})
	checks.Add("from-timestamp", "offsets for times: first at or after, before all, after all", func() error {
		topic := numbered(client, 1)
		for ms, wanted := range map[int64]int64{0: 0, beginMs: 0, beginMs + 1: 1, beginMs + 5000: 500, beginMs + 10*(count-1): count - 1, beginMs + 10*count: count} {
			// It says the end when there is no such record.
			found, _ := must(client.admin.ListOffsetsAfterMilli(limited(), ms, topic)).Lookup(topic, 0)
			expect(found.Err == nil && found.Offset == wanted, "%d: %d instead of %d, %v", ms, found.Offset, wanted, found.Err)
		}
		return nil
	})
	checks.Add("from-timestamp", "a time inside of a compressed batch", func() error {
		topic := numbered(client, 1, kgo.ProducerBatchCompression(kgo.SnappyCompression()))
		found, _ := must(client.admin.ListOffsetsAfterMilli(limited(), beginMs+5000, topic)).Lookup(topic, 0)
		expect(found.Err == nil && found.Offset == 500, "%v", found)
		return nil
	})
	checks.Add("seek", "SetOffsets back, forth and to the beginning", func() error {
		topic := numbered(client, 1)
		consumer := client.consumer(topic, map[int32]kgo.Offset{0: kgo.NewOffset().AtStart()})
		defer consumer.Close()
		expectNumbers(must(take(consumer, count)), 0)
		for _, offset := range []int{count - 10, 3, 500, 0} {
			consumer.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: int64(offset)}}})
			expectNumbers(must(take(consumer, count-offset)), offset)
		}
		return nil
	})
	checks.Add("seek", "pause and resume; partitions added and removed while it fetches", func() error {
		topic := numbered(client, 3)
		start := kgo.NewOffset().AtStart()
		consumer := client.consumer(topic, map[int32]kgo.Offset{0: start, 1: start})
		defer consumer.Close()
		consumer.PauseFetchPartitions(map[string][]int32{topic: {1}})
		for _, record := range must(take(consumer, count)) {
			expect(record.Partition == 0, "a record of partition %d", record.Partition)
		}
		consumer.ResumeFetchPartitions(map[string][]int32{topic: {1}})
		expectNumbers(must(take(consumer, count)), 0)
		consumer.RemoveConsumePartitions(map[string][]int32{topic: {0}})
		consumer.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {2: start}})
		for _, record := range must(take(consumer, count)) {
			expect(record.Partition == 2, "a record of partition %d", record.Partition)
		}
		return nil
	})
	checks.Add("produce-consume", "one consumer of 100 partitions, most of them idle: fetch sessions", func() error {
		topic, offsets := client.topic(100), map[int32]kgo.Offset{}
		for partition := range int32(100) {
			offsets[partition] = kgo.NewOffset().AtStart()
		}
		consumer := client.consumer(topic, offsets)
		defer consumer.Close()
		for round := range 50 {
			partition := int32(round*37) % 100
			client.mustProduce(topic, []*kgo.Record{{Value: fmt.Appendf(nil, "%d", round), Partition: partition}})
			got := must(take(consumer, 1))[0]
			expect(string(got.Value) == strconv.Itoa(round) && got.Partition == partition, "round %d: %s of %d", round, got.Value, got.Partition)
		}
		return nil
	})
	checks.Add("watermarks", "beginning and end", func() error {
		topic := numbered(client, 1)
		start, _ := must(client.admin.ListStartOffsets(limited(), topic)).Lookup(topic, 0)
		end, _ := must(client.admin.ListEndOffsets(limited(), topic)).Lookup(topic, 0)
		expect(start.Offset == 0 && end.Offset == count, "%d to %d", start.Offset, end.Offset)
		_, err := client.admin.DeleteRecords(limited(), offsetsOf(topic, 400))
		expect(err == nil, "%v", err)
		start, _ = must(client.admin.ListStartOffsets(limited(), topic)).Lookup(topic, 0)
		expect(start.Offset == 400, "starts at %d", start.Offset)
		return nil
	})
}

func offsetsOf(topic string, offset int64) kadm.Offsets {
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, offset, -1)
	return offsets
}
