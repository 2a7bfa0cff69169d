package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (c *Client) member(topic, group string, options ...kgo.Opt) *kgo.Client {
	return must(kgo.NewClient(groupOptions(c.bootstrap, topic, group, append([]kgo.Opt{kgo.DisableAutoCommit()}, options...)...)...))
}

// events counts the partitions that come and go, each time.
type events struct {
	sync.Mutex
	assigned, revoked []int
}

func (e *events) options() []kgo.Opt {
	counted := func(places map[string][]int32) (count int) {
		for _, partitions := range places {
			count += len(partitions)
		}
		return count
	}
	return []kgo.Opt{
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, places map[string][]int32) {
			e.Lock()
			defer e.Unlock()
			e.assigned = append(e.assigned, counted(places))
		}),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, places map[string][]int32) {
			e.Lock()
			defer e.Unlock()
			if gone := counted(places); gone > 0 {
				e.revoked = append(e.revoked, gone)
			}
		}),
	}
}

func until(what string, holds func() bool) {
	for end := time.Now().Add(timeMax); !holds(); time.Sleep(50 * time.Millisecond) {
		expect(time.Now().Before(end), "%s: not in time", what)
	}
}

func (c *Client) described(group string) kadm.DescribedGroup {
	described := must(c.admin.DescribeGroups(limited(), group))[group]
	expect(described.Err == nil, "%v", described.Err)
	return described
}

// untilStable waits until the group has this many members, and gives the partitions of each by its instance or client id.
func (c *Client) untilStable(group string, members int) map[string][]int32 {
	var described kadm.DescribedGroup
	until(group+" is stable", func() bool {
		described = must(c.admin.DescribeGroups(limited(), group))[group]
		return described.Err == nil && described.State == "Stable" && len(described.Members) == members
	})
	partitions := map[string][]int32{}
	for _, member := range described.Members {
		name := member.ClientID
		if member.InstanceID != nil {
			name = *member.InstanceID
		}
		assignment, ok := member.Assigned.AsConsumer()
		expect(ok, "no assignment of a consumer")
		for _, topic := range assignment.Topics {
			partitions[name] = append(partitions[name], topic.Partitions...)
		}
		slices.Sort(partitions[name])
	}
	return partitions
}

func (c *Client) committed(group, topic string) (kadm.OffsetResponse, bool) {
	return must(c.admin.FetchOffsets(limited(), group)).Lookup(topic, 0)
}

func groupChecks(checks *Checks, client *Client) {
	checks.Add("from-beginning", "a group: from the start", func() error {
		member := client.member(numbered(client, 1), "franz-go-begins")
		defer member.Close()
		expectNumbers(must(take(member, count)), 0)
		return nil
	})
	checks.Add("from-end", "a group: from the end", func() error {
		topic := numbered(client, 1)
		member := client.member(topic, "franz-go-ends", kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()))
		defer member.Close()
		client.untilStable("franz-go-ends", 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		expect(member.PollFetches(ctx).NumRecords() == 0, "something from before")
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("4711")}})
		expect(string(must(take(member, 1))[0].Value) == "4711", "another one")
		return nil
	})
	checks.Add("seek", "a member of a group: SetOffsets in what it has", func() error {
		topic := numbered(client, 1)
		member := client.member(topic, "franz-go-seeks")
		defer member.Close()
		expectNumbers(must(take(member, count)), 0)
		for _, offset := range []int{count - 10, 3} {
			member.SetOffsets(map[string]map[int32]kgo.EpochOffset{topic: {0: {Epoch: -1, Offset: int64(offset)}}})
			expectNumbers(must(take(member, count-offset)), offset)
		}
		return nil
	})
	checks.Add("group-commits", "some records, read back by the admin client; the next member resumes there", func() error {
		topic := numbered(client, 1)
		first := client.member(topic, "franz-go-commits")
		records := must(take(first, 100))
		expect(first.CommitRecords(limited(), records[99]) == nil, "not committed")
		found, ok := client.committed("franz-go-commits", topic)
		expect(ok && found.At == 100, "%v", found)
		first.Close()
		second := client.member(topic, "franz-go-commits")
		defer second.Close()
		expectNumbers(must(take(second, count-100)), 100)
		return second.CommitUncommittedOffsets(limited())
	})
	checks.Add("group-pause", "what is paused does not come, for longer than a session, and goes on where it was", func() error {
		topic := numbered(client, 2)
		member := client.member(topic, "franz-go-pauses")
		defer member.Close()
		member.PauseFetchPartitions(map[string][]int32{topic: {1}})
		for _, record := range must(take(member, count)) {
			expect(record.Partition == 0, "a record of partition %d", record.Partition)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		expect(member.PollFetches(ctx).NumRecords() == 0, "records of what is paused")
		member.ResumeFetchPartitions(map[string][]int32{topic: {1}})
		expectNumbers(must(take(member, count)), 0)
		return nil
	})
	checks.Add("static-members", "comes back in its session without a rebalance; a second of its name ends the first; removed by the admin client", func() error {
		topic, group := numbered(client, 4), "franz-go-static"
		counted := &events{}
		long := kgo.SessionTimeout(30 * time.Second)
		other := client.member(topic, group, append(counted.options(), kgo.InstanceID("b"), long)...)
		one := client.member(topic, group, kgo.InstanceID("a"), long)
		before := client.untilStable(group, 2)
		expect(len(before["a"]) == 2 && len(before["b"]) == 2, "%v", before)
		counted.Lock()
		rebalances := len(counted.assigned)
		counted.Unlock()
		one.Close()
		again := client.member(topic, group, kgo.InstanceID("a"), long)
		must(take(again, 1))
		expect(slices.Equal(client.untilStable(group, 2)["a"], before["a"]), "another assignment")
		counted.Lock()
		expect(len(counted.assigned) == rebalances, "it was rebalanced")
		counted.Unlock()
		second := client.member(topic, group, kgo.InstanceID("a"), long)
		until("the first is fenced", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			fenced := false
			for _, problem := range again.PollFetches(ctx).Errors() {
				fenced = fenced || isFenced(problem.Err)
			}
			return fenced
		})
		for _, each := range []*kgo.Client{again, other, second} {
			each.Close()
		}
		expect(len(client.described(group).Members) == 2, "not two members")
		_, err := client.admin.LeaveGroup(limited(), kadm.LeaveGroup(group).InstanceIDs("a", "b"))
		expect(err == nil, "%v", err)
		expect(len(client.described(group).Members) == 0, "members are left")
		return nil
	})
	checks.Add("cooperative", "CooperativeStickyBalancer: who keeps a partition does not lose it when another joins", func() error {
		topic, group := numbered(client, 4), "franz-go-cooperative"
		counted := &events{}
		cooperative := kgo.Balancers(kgo.CooperativeStickyBalancer())
		first := client.member(topic, group, append(counted.options(), cooperative, kgo.ClientID("first"))...)
		defer first.Close()
		client.untilStable(group, 1)
		second := client.member(topic, group, cooperative, kgo.ClientID("second"))
		defer second.Close()
		until("two each", func() bool {
			partitions := client.untilStable(group, 2)
			return len(partitions["first"]) == 2 && len(partitions["second"]) == 2
		})
		counted.Lock()
		defer counted.Unlock()
		expect(slices.Equal(counted.revoked, []int{2}), "%v were taken away", counted.revoked)
		return nil
	})
	groupAdminChecks(checks, client)
}

func isFenced(err error) bool { return errors.Is(err, kerr.FencedInstanceID) }

func groupAdminChecks(checks *Checks, client *Client) {
	checks.Add("list-groups", "listed by state, described with members, assignment, assignor and lag", func() error {
		topic, group := numbered(client, 2), "franz-go-described"
		member := client.member(topic, group, kgo.ClientID("franz-go-client"), kgo.Balancers(kgo.RangeBalancer()))
		expect(slices.Equal(client.untilStable(group, 1)["franz-go-client"], []int32{0, 1}), "another assignment")
		records := must(take(member, 2*count))
		expect(member.CommitRecords(limited(), records...) == nil, "not committed")
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("one more")}})
		_, among := must(client.admin.ListGroups(limited(), "Stable"))[group]
		expect(among, "not listed")
		_, among = must(client.admin.ListGroups(limited(), "Empty"))[group]
		expect(!among, "listed as empty")
		expect(client.described(group).Protocol == "range", "%s", client.described(group).Protocol)
		lag := must(client.admin.Lag(limited(), group))[group]
		expect(lag.Error() == nil && lag.Lag.Total() == 1, "a lag of %d, %v", lag.Lag.Total(), lag.Error())
		member.Close()
		expect(client.described(group).State == "Empty", "%s", client.described(group).State)
		return nil
	})
	checks.Add("delete-groups", "not while it has members; then with all its offsets; a second time it is not there", func() error {
		topic, group := numbered(client, 1), "franz-go-deleted"
		member := client.member(topic, group)
		expect(member.CommitRecords(limited(), must(take(member, 1))...) == nil, "not committed")
		remove := func() error {
			_, err := client.admin.DeleteGroup(limited(), group)
			return err
		}
		expectError(remove(), kerr.NonEmptyGroup)
		member.Close()
		expect(remove() == nil, "it is not deleted")
		expectError(remove(), kerr.GroupIDNotFound)
		_, found := client.committed(group, topic)
		expect(!found, "its offset is still there")
		return nil
	})
	checks.Add("group-offsets", "set and deleted where nobody is in the group, refused where somebody is", func() error {
		topic, group := numbered(client, 1), "franz-go-altered"
		set := func(offset int64) error {
			return must(client.admin.CommitOffsets(limited(), group, offsetsOf(topic, offset))).Error()
		}
		remove := func() error {
			places := kadm.TopicsSet{}
			places.Add(topic, 0)
			return must(client.admin.DeleteOffsets(limited(), group, places)).Error()
		}
		expect(set(900) == nil, "not set")
		member := client.member(topic, group)
		expectNumbers(must(take(member, count-900)), 900)
		expectError(set(5), kerr.UnknownMemberID)
		expectError(remove(), kerr.GroupSubscribedToTopic)
		member.Close()
		expect(remove() == nil, "not deleted")
		_, found := client.committed(group, topic)
		expect(!found, "the offset is still there")
		return nil
	})
}
