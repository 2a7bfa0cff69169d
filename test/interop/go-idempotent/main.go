// An idempotent producer for suites/idempotence.mjs: arguments are address, topic, partitions, count; prints "partition number offset" for each acknowledgement.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	topic := os.Args[2]
	partitions, _ := strconv.Atoi(os.Args[3])
	count, _ := strconv.Atoi(os.Args[4])
	client, err := kgo.NewClient(
		kgo.SeedBrokers(os.Args[1]),
		kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// Idempotence is the default; small batches make many requests.
		kgo.ProducerBatchMaxBytes(512),
		kgo.MaxBufferedRecords(100),
		// What is stored is read without a codec.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }),
		kgo.AllowAutoTopicCreation(),
	)
	if err != nil {
		fail(err)
	}
	out := bufio.NewWriter(os.Stdout)
	var lock sync.Mutex
	var failed error
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Second)
	defer cancel()
	for number := 0; number < count; number++ {
		for partition := 0; partition < partitions; partition++ {
			record := &kgo.Record{Partition: int32(partition), Value: []byte(strconv.Itoa(number))}
			client.Produce(ctx, record, func(done *kgo.Record, err error) {
				lock.Lock()
				defer lock.Unlock()
				if err != nil {
					failed = err
					return
				}
				fmt.Fprintln(out, done.Partition, string(done.Value), done.Offset)
			})
		}
	}
	if err := client.Flush(ctx); err != nil {
		fail(err)
	}
	client.Close()
	if failed != nil {
		fail(failed)
	}
	out.Flush()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
