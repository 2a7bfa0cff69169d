package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// noTransactions is what franz-go says of the broker's answer: it drops the text that goes with it.
const noTransactions = `UNSUPPORTED_VERSION: The version of API is not supported`

var random = rand.NewChaCha8([32]byte{20})

func randomBytes(size int) []byte {
	value := make([]byte, size)
	must(random.Read(value))
	return value
}

func producerChecks(checks *Checks, client *Client) {
	checks.Add("auto-create", "a produce makes the topic, and loses nothing", func() error {
		sent := texts(10)
		client.mustProduce("franz-go-auto", sent, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(20))
		expectSame(client.read("franz-go-auto", 0, 0, 10), sent)
		return nil
	})
	checks.Add("produce-consume", "100,000 messages come back in order, offsets without a gap", func() error {
		topic, sent := client.topic(1), texts(100_000)
		client.mustProduce(topic, sent, kgo.MaxBufferedRecords(200_000))
		got := client.read(topic, 0, 0, len(sent))
		expectSame(got, sent)
		for at, record := range got {
			expect(record.Offset == int64(at), "record %d is at offset %d", at, record.Offset)
		}
		return nil
	})
	checks.Add("delivery-reports", "every message is reported once, with its partition and the offset it is read at", func() error {
		topic, sent := client.topic(3), texts(3000)
		for n, record := range sent {
			record.Partition = int32(n % 3)
		}
		client.mustProduce(topic, sent)
		for partition := range int32(3) {
			for _, got := range client.read(topic, partition, 0, 1000) {
				// The producer has written offset and partition into what was sent.
				reported := sent[int(got.Offset)*3+int(partition)]
				expect(reported.Offset == got.Offset && bytes.Equal(reported.Value, got.Value), "offset %d of partition %d", got.Offset, partition)
			}
		}
		return nil
	})
	checks.Add("partitions", "keys go always to the same one, all of them are used", func() error {
		topic := client.topic(4)
		records := make([]*kgo.Record, 2000)
		for n := range records {
			records[n] = &kgo.Record{Key: fmt.Appendf(nil, "key %d", n%50), Value: []byte("v")}
		}
		client.mustProduce(topic, records, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
		places, used := map[string]int32{}, map[int32]bool{}
		for _, record := range records {
			place, known := places[string(record.Key)]
			expect(!known || place == record.Partition, "%s went to two partitions", record.Key)
			places[string(record.Key)] = record.Partition
			used[record.Partition] = true
		}
		expect(len(used) == 4, "%d partitions of 4 are used", len(used))
		return nil
	})
	checks.Add("keys", "text, bytes, empty and no keys", func() error {
		topic := client.topic(1)
		keys := [][]byte{[]byte("text"), {0, 0xff, 0x80}, {}, nil}
		records := make([]*kgo.Record, len(keys))
		for n, key := range keys {
			records[n] = &kgo.Record{Key: key, Value: []byte("v")}
		}
		client.mustProduce(topic, records)
		for n, got := range client.read(topic, 0, 0, len(keys)) {
			expect(bytes.Equal(got.Key, keys[n]) && (got.Key == nil) == (keys[n] == nil), "key %d is %v", n, got.Key)
		}
		return nil
	})
	checks.Add("headers", "in order, twice the same name, empty and null values, bytes", func() error {
		topic := client.topic(1)
		headers := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{0, 0xff}}, {Key: "a", Value: []byte("2")}, {Key: "empty", Value: []byte{}}, {Key: "null"}}
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("v"), Headers: headers}, {Value: []byte("none")}})
		got := client.read(topic, 0, 0, 2)
		expect(len(got[0].Headers) == len(headers) && len(got[1].Headers) == 0, "%d and %d headers", len(got[0].Headers), len(got[1].Headers))
		for n, header := range got[0].Headers {
			same := header.Key == headers[n].Key && bytes.Equal(header.Value, headers[n].Value) && (header.Value == nil) == (headers[n].Value == nil)
			expect(same, "header %d is %v", n, header)
		}
		return nil
	})
	checks.Add("null-values", "null and empty values stay apart", func() error {
		topic := client.topic(1)
		client.mustProduce(topic, []*kgo.Record{{Key: []byte("k"), Value: nil}, {Key: []byte("k"), Value: []byte{}}})
		got := client.read(topic, 0, 0, 2)
		expect(got[0].Value == nil && got[1].Value != nil && len(got[1].Value) == 0, "%v and %v", got[0].Value, got[1].Value)
		return nil
	})
	checks.Add("binary", "random values of 0 to 200 KB, 64 MB in all, over 3 partitions: equal sha256", func() error {
		topic := client.topic(3)
		sizes := []int{0, 1, 100, 1000, 10_000, 200_000}
		sent, counts := [3]hash.Hash{sha256.New(), sha256.New(), sha256.New()}, [3]int{}
		var records []*kgo.Record
		for total, n := 0, 0; total < 64_000_000; n++ {
			value := randomBytes(sizes[n%len(sizes)])
			records = append(records, &kgo.Record{Value: value, Partition: int32(n % 3)})
			sent[n%3].Write(value)
			counts[n%3]++
			total += len(value)
		}
		client.mustProduce(topic, records)
		for partition := range sent {
			got := sha256.New()
			for _, record := range client.read(topic, int32(partition), 0, counts[partition]) {
				must(got.Write(record.Value))
			}
			expect(bytes.Equal(got.Sum(nil), sent[partition].Sum(nil)), "partition %d has another sha256", partition)
		}
		return nil
	})
	codecs := map[string]kgo.CompressionCodec{"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for _, name := range []string{"gzip", "snappy", "lz4", "zstd"} {
		checks.Add(name, "50,000 messages and one of random bytes, sent compressed, come back", func() error {
			topic, sent := client.topic(1), append(texts(50_000), &kgo.Record{Value: randomBytes(100_000)})
			client.mustProduce(topic, sent, kgo.ProducerBatchCompression(codecs[name]), kgo.MaxBufferedRecords(100_000))
			expectSame(client.read(topic, 0, 0, len(sent)), sent)
			return nil
		})
	}
	for feature, acks := range map[string]kgo.Acks{"acks-0": kgo.NoAck(), "acks-1": kgo.LeaderAck(), "acks-all": kgo.AllISRAcks()} {
		checks.Add(feature, "5,000 messages come back", func() error {
			topic, sent := client.topic(1), texts(5000)
			client.mustProduce(topic, sent, kgo.RequiredAcks(acks))
			expectSame(client.read(topic, 0, 0, len(sent)), sent)
			return nil
		})
	}
	checks.Add("big-messages", "as large as max.message.bytes allows; larger ones are refused by name, and the next goes through", func() error {
		topic := client.topic(1, "max.message.bytes", "8000000")
		sent := []*kgo.Record{{Value: randomBytes(7_900_000)}, {Value: []byte("x")}, {Value: randomBytes(5_000_000)}}
		client.mustProduce(topic, sent, kgo.ProducerBatchMaxBytes(9_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
		expectSame(client.read(topic, 0, 0, len(sent)), sent)
		expectError(client.produce(topic, []*kgo.Record{{Value: randomBytes(8_500_000)}}, kgo.ProducerBatchMaxBytes(9_000_000)), kerr.MessageTooLarge)
		client.mustProduce(topic, texts(1))
		return nil
	})
	checks.Add("timestamps", "those of the producer come back, in any order, also from 1970", func() error {
		topic := client.topic(1)
		wanted := []int64{1_700_000_000_000, 1_600_000_000_000, 1, 1_750_000_000_000}
		records := make([]*kgo.Record, len(wanted))
		for n, ms := range wanted {
			records[n] = &kgo.Record{Value: []byte("v"), Timestamp: time.UnixMilli(ms)}
		}
		client.mustProduce(topic, records)
		for n, got := range client.read(topic, 0, 0, len(wanted)) {
			expect(got.Timestamp.UnixMilli() == wanted[n] && got.Attrs.TimestampType() == 0, "timestamp %d is %v", n, got.Timestamp)
		}
		return nil
	})
	checks.Add("append-time", "message.timestamp.type=LogAppendTime: the broker's time, and the client says so", func() error {
		topic, before := client.topic(1, "message.timestamp.type", "LogAppendTime"), time.Now()
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("v"), Timestamp: time.UnixMilli(1_600_000_000_000)}})
		got := client.read(topic, 0, 0, 1)[0]
		expect(got.Attrs.TimestampType() == 1, "timestamp type %d", got.Attrs.TimestampType())
		expect(got.Timestamp.After(before.Add(-time.Second)) && got.Timestamp.Before(time.Now().Add(time.Second)), "%v", got.Timestamp)
		return nil
	})
	checks.Add("unknown-topic", "producing to an unknown topic is refused by name, and does not make it", func() error {
		err := client.produce("franz-go-nowhere", texts(1), kgo.UnknownTopicRetries(0))
		expectError(err, kerr.UnknownTopicOrPartition)
		return nil
	})
	checks.Add("idempotence", "a producer gets an id and writes each record once", func() error {
		producer := must(kgo.NewClient(kgo.SeedBrokers(client.bootstrap)))
		defer producer.Close()
		id, _, err := producer.ProducerID(limited())
		expect(err == nil && id >= 0, "no producer id: %d, %v", id, err)
		topic := client.topic(1)
		for n := 0; n < 100; n++ {
			if err := producer.ProduceSync(limited(), &kgo.Record{Topic: topic, Value: []byte(fmt.Sprint(n))}).FirstErr(); err != nil {
				return err
			}
		}
		for n, record := range client.read(topic, 0, 0, 100) {
			expect(string(record.Value) == fmt.Sprint(n), "%s at %d", record.Value, n)
		}
		return nil
	})
	checks.NotServed("transactions", noTransactions, func() error {
		producer := must(kgo.NewClient(kgo.SeedBrokers(client.bootstrap), kgo.TransactionalID("t"), kgo.RecordDeliveryTimeout(5*time.Second)))
		defer producer.Close()
		if err := producer.BeginTransaction(); err != nil {
			return err
		}
		return producer.ProduceSync(limited(), &kgo.Record{Topic: client.topic(1), Value: []byte("v")}).FirstErr()
	})
}
