package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// runMember is a member of a consumer group: it prints "PARTITION OFFSET" of all it gets, and leaves when its stdin ends.
func runMember(bootstrap, topic, group, balancer string) {
	client := must(kgo.NewClient(groupOptions(bootstrap, topic, group, kgo.Balancers(balancers[balancer]), kgo.AutoCommitInterval(500*time.Millisecond))...))
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	out := bufio.NewWriter(os.Stdout)
	for ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(record *kgo.Record) { fmt.Fprintln(out, record.Partition, record.Offset) })
		if err := out.Flush(); err != nil {
			panic(err)
		}
	}
	if err := client.CommitUncommittedOffsets(limited()); err != nil {
		panic(err)
	}
	client.Close()
}

var balancers = map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "cooperative": kgo.CooperativeStickyBalancer()}

func groupOptions(bootstrap, topic, group string, options ...kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(time.Second),
	}, options...)
}
