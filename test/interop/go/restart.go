package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// overRestart sends without pause until it is told to stop by a line on stdin; meanwhile the broker is restarted. It says "ready" when it is under way.
// What was acknowledged has to be at its offset afterwards, for a consumer that was there from the beginning.
func overRestart(client *Client) {
	topic := "franz-go-restart"
	must(client.admin.CreateTopic(limited(), 1, 1, nil, topic))
	consumer := client.consumer(topic, map[int32]kgo.Offset{0: kgo.NewOffset().AtStart()})
	producer := client.producer(kgo.ProducerLinger(5 * time.Millisecond))
	var told atomic.Bool
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		told.Store(true)
	}()
	var lock sync.Mutex
	delivered, read, errors := map[int64]string{}, map[int64]string{}, []string{}
	left := atomic.Int64{}
	poll := func(limit time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		for _, record := range consumer.PollFetches(ctx).Records() {
			read[record.Offset] = string(record.Value)
		}
	}
	sent := 0
	for ; !told.Load(); sent++ {
		left.Add(1)
		producer.Produce(context.Background(), &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", sent)}, func(record *kgo.Record, err error) {
			lock.Lock()
			defer lock.Unlock()
			left.Add(-1)
			if err != nil {
				errors = append(errors, err.Error())
			} else {
				delivered[record.Offset] = string(record.Value)
			}
		})
		poll(5 * time.Millisecond)
		if sent == 200 {
			fmt.Println("ready")
		}
	}
	_ = producer.Flush(limited())
	end, _ := must(client.admin.ListEndOffsets(limited(), topic)).Lookup(topic, 0)
	for until := time.Now().Add(timeMax); time.Now().Before(until); poll(time.Second) {
		if _, there := read[end.Offset-1]; there {
			break
		}
	}
	lock.Lock()
	defer lock.Unlock()
	lost := 0
	for offset, value := range delivered {
		if read[offset] != value {
			lost++
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"sent": sent, "delivered": len(delivered), "left": left.Load(), "errors": errors, "lost": lost})
}
