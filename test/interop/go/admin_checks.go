package main

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func settingOf(client *Client, topic, name string) *kadm.Config {
	described := must(must(client.admin.DescribeTopicConfigs(limited(), topic)).On(topic, nil))
	expect(described.Err == nil, "%v", described.Err)
	for at := range described.Configs {
		if described.Configs[at].Key == name {
			return &described.Configs[at]
		}
	}
	panic(fmt.Sprintf("no setting %s", name))
}

func alter(client *Client, topic string, change kadm.AlterConfig) error {
	altered, err := client.admin.AlterTopicConfigs(limited(), []kadm.AlterConfig{change}, topic)
	if err != nil {
		return err
	}
	return must(altered.On(topic, nil)).Err
}

func adminChecks(checks *Checks, client *Client) {
	checks.Add("metadata", "the broker, the controller, the cluster id", func() error {
		known := must(client.admin.BrokerMetadata(limited()))
		expect(known.Cluster != "" && len(known.Brokers) == 1 && known.Controller == known.Brokers[0].NodeID, "%v", known)
		expect(fmt.Sprintf("%s:%d", known.Brokers[0].Host, known.Brokers[0].Port) == client.bootstrap, "%v", known.Brokers[0])
		return nil
	})
	checks.Add("create-topics", "with partitions and settings; twice is TOPIC_ALREADY_EXISTS; a validated one is not made", func() error {
		must(client.admin.CreateTopic(limited(), 5, 1, settingsOf("segment.bytes", "2000000"), "franz-go-made"))
		expect(len(must(client.admin.ListTopics(limited(), "franz-go-made"))["franz-go-made"].Partitions) == 5, "not 5 partitions")
		expect(settingOf(client, "franz-go-made", "segment.bytes").MaybeValue() == "2000000", "another setting")
		_, err := client.admin.CreateTopic(limited(), 5, 1, nil, "franz-go-made")
		expectError(err, kerr.TopicAlreadyExists)
		must(client.admin.ValidateCreateTopics(limited(), 1, 1, nil, "franz-go-not-made"))
		expect(!must(client.admin.ListTopics(limited())).Has("franz-go-not-made"), "it was made")
		return nil
	})
	checks.Add("create-topics", "what cannot be is refused by name", func() error {
		for _, wrong := range []struct {
			name       string
			partitions int32
			replicas   int16
			settings   map[string]*string
			err        error
		}{
			{"bad name!", 1, 1, nil, kerr.InvalidTopicException},
			{"franz-go-zero", 0, 1, nil, kerr.InvalidPartitions},
			{"franz-go-replicas", 1, 3, nil, kerr.InvalidReplicationFactor},
			{"franz-go-setting", 1, 1, settingsOf("no.such.setting", "1"), kerr.InvalidConfig},
		} {
			_, err := client.admin.CreateTopic(limited(), wrong.partitions, wrong.replicas, wrong.settings, wrong.name)
			expectError(err, wrong.err)
		}
		return nil
	})
	checks.Add("list-topics", "partitions, leader, replicas, id; an unknown one by name", func() error {
		topic := client.topic(3)
		known := must(client.admin.ListTopics(limited(), topic, "franz-go-nowhere"))
		detail := known[topic]
		expect(len(detail.Partitions) == 3 && detail.ID != kadm.TopicID{}, "%v", detail)
		for _, partition := range detail.Partitions {
			expect(partition.Leader == partition.Replicas[0] && len(partition.ISR) == 1, "%v", partition)
		}
		expectError(known["franz-go-nowhere"].Err, kerr.UnknownTopicOrPartition)
		return nil
	})
	checks.Add("delete-topics", "it is gone, a second time it is unknown, and a new one of that name is empty", func() error {
		topic := client.topic(1)
		client.mustProduce(topic, texts(3))
		must(client.admin.DeleteTopic(limited(), topic))
		expect(!must(client.admin.ListTopics(limited())).Has(topic), "it is still there")
		_, err := client.admin.DeleteTopic(limited(), topic)
		expectError(err, kerr.UnknownTopicOrPartition)
		must(client.admin.CreateTopic(limited(), 1, 1, nil, topic))
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("new")}})
		expect(string(client.read(topic, 0, 0, 1)[0].Value) == "new", "old records are back")
		return nil
	})
	checks.Add("describe-configs", "all settings of a topic, with where each comes from", func() error {
		topic := client.topic(1, "max.message.bytes", "12345")
		own, other := settingOf(client, topic, "max.message.bytes"), settingOf(client, topic, "segment.bytes")
		expect(own.MaybeValue() == "12345" && own.Source.String() == "DYNAMIC_TOPIC_CONFIG", "%v", own)
		expect(other.Source.String() != "DYNAMIC_TOPIC_CONFIG", "%v", other)
		return nil
	})
	checks.Add("alter-configs", "set and delete; what is wrong is refused", func() error {
		topic, value := client.topic(1), "5000"
		expect(alter(client, topic, kadm.AlterConfig{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}) == nil, "set")
		expectError(client.produce(topic, []*kgo.Record{{Value: randomBytes(6000)}}), kerr.MessageTooLarge)
		expect(alter(client, topic, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "max.message.bytes"}) == nil, "delete")
		client.mustProduce(topic, []*kgo.Record{{Value: randomBytes(6000)}})
		expectError(alter(client, topic, kadm.AlterConfig{Op: kadm.SetConfig, Name: "no.such.setting", Value: &value}), kerr.InvalidConfig)
		return nil
	})
	checks.Add("list-offsets", "earliest, latest, of a time, of the largest timestamp", func() error {
		topic := numbered(client, 1)
		largest, _ := must(client.admin.ListMaxTimestampOffsets(limited(), topic)).Lookup(topic, 0)
		expect(largest.Err == nil && largest.Offset == count-1 && largest.Timestamp == beginMs+10*(count-1), "%v", largest)
		return nil
	})
	checks.Add("delete-records", "below an offset, up to the end, beyond it", func() error {
		topic := numbered(client, 1)
		below := func(offset int64) (int64, error) {
			deleted, err := client.admin.DeleteRecords(limited(), offsetsOf(topic, offset))
			if err != nil {
				return 0, err
			}
			answer, _ := deleted.Lookup(topic, 0)
			return answer.LowWatermark, answer.Err
		}
		expect(must(below(4)) == 4, "not 4")
		expectNumbers(client.read(topic, 0, 4, count-4), 4)
		expect(must(below(-1)) == count, "not the end")
		_, err := below(count + 1)
		expectError(err, kerr.OffsetOutOfRange)
		return nil
	})
	checks.Add("create-partitions", "more, which take records; not fewer; not of a topic that is not there", func() error {
		topic := client.topic(2)
		grow := func(topic string, count int) error {
			return must(must(client.admin.UpdatePartitions(limited(), count, topic)).On(topic, nil)).Err
		}
		expect(grow(topic, 5) == nil, "it did not grow")
		expect(len(must(client.admin.ListTopics(limited(), topic))[topic].Partitions) == 5, "not 5 partitions")
		client.mustProduce(topic, []*kgo.Record{{Value: []byte("new"), Partition: 4}})
		expect(string(client.read(topic, 4, 0, 1)[0].Value) == "new", "not in the new partition")
		expectError(grow(topic, 3), kerr.InvalidPartitions)
		expectError(grow("franz-go-nowhere", 3), kerr.UnknownTopicOrPartition)
		return nil
	})
	checks.Add("log-dirs", "the folder, its room, the bytes of a partition", func() error {
		topic := client.topic(1)
		client.mustProduce(topic, []*kgo.Record{{Value: randomBytes(1000)}})
		broker := must(client.admin.BrokerMetadata(limited())).Brokers[0].NodeID
		folders := must(client.admin.DescribeBrokerLogDirs(limited(), broker, nil))
		expect(len(folders) == 1, "%v", folders)
		for _, folder := range folders {
			expect(folder.Err == nil && folder.UsableBytes > 0, "%v", folder)
			expect(folder.Topics[topic][0].Size > 1000, "%v", folder.Topics[topic])
		}
		return nil
	})
	checks.Add("api-versions", "ApiVersions: produce, fetch and groups, with their versions", func() error {
		for _, broker := range must(client.admin.ApiVersions(limited())).Sorted() {
			expect(broker.Err == nil, "%v", broker.Err)
			for key, least := range map[int16]int16{0: 9, 1: 12, 3: 12, 11: 6} {
				highest, exists := broker.KeyMaxVersion(key)
				expect(exists && highest >= least, "API %d up to version %d", key, highest)
			}
		}
		return nil
	})
}
