package main

import (
	"context"
	"fmt"
)

// A system is one kind of server with its own client library. Streams are what it keeps apart and in order: Kafka's
// partitions, JetStream's and RabbitMQ's streams, Redis' keys; they are numbered from 0.
type system interface {
	// create makes the streams and waits until they take records. It fails if they are there.
	create(ctx context.Context) error
	// remove deletes the streams with all their records.
	remove(ctx context.Context) error
	// ends counts the records of each stream. exists is false if the streams are not there.
	ends(ctx context.Context) (counts []int64, exists bool, err error)
	// producer opens a connection of its own that writes to one stream.
	producer(ctx context.Context, stream int) (producer, error)
	// consumer opens a connection of its own that reads one stream from its beginning and follows it. got is called
	// for one record after the other, and may keep nothing of it.
	consumer(ctx context.Context, stream int, got func(value []byte)) (consumer, error)
	close()
}

// A producer takes messages without waiting for their acknowledgement, and says done once for each of them, from any
// goroutine. What it takes in one call of send is one request where the system knows requests of several records.
type producer interface {
	send(messages []*outgoing)
	close()
}

type consumer interface {
	close()
}

// failure ends the whole run: what cannot be blamed on one message, such as a lost connection.
type failure func(error)

// laneOrder says within what the system's client keeps order.
type laneOrder int

const (
	lanePerConnection laneOrder = iota // what one producer sends, arrives in that order
	lanePerRequest                     // only what was acknowledged before comes before: calls that block, side by side
)

// What the load has to know of a system's client.
type traits struct {
	order laneOrder
	// One request is always being filled by the client while the others are under way.
	fillsOneAhead bool
}

func open(o *options, fail failure) (system, traits, error) {
	switch o.system {
	case "kafka":
		return newKafka(o, fail), traits{order: lanePerConnection, fillsOneAhead: o.mode == modeProduce && o.recordsPerRequest > 1}, nil
	case "nats":
		s, err := newNats(o, fail)
		return s, traits{order: lanePerConnection}, err
	case "rabbitmq-streams":
		s, err := newRabbitmq(o, fail)
		return s, traits{order: lanePerConnection}, err
	case "redis-streams":
		s, err := newRedis(o, fail)
		return s, traits{order: lanePerRequest}, err
	}
	return nil, traits{}, fmt.Errorf("--system: '%s' is none of kafka, nats, rabbitmq-streams, redis-streams", o.system)
}
