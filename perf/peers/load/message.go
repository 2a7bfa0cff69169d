package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// The beginning of each record's value; the rest is random:
//
//	0   u32  run       a random number of this process
//	4   u32  lane      within which order must hold
//	8   u64  sequence  in its lane, from 0 without a gap
//	16  i64  due       nanoseconds on this process' clock at which it was to be sent
//	24  u64  never the same again
const headerBytes = 32

var (
	epoch = time.Now()
	run   = rand.Uint32()
)

// now is monotonic, in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }

// An outgoing message is one record on its way. Its memory is used again once it is acknowledged.
type outgoing struct {
	value   []byte
	request *request
	client  any // what the driver keeps with it
}

// done is called once by the driver: it is acknowledged (nil) or has failed.
func (m *outgoing) done(err error) { m.request.acknowledged(err) }

// A request is what is sent at once and counted as acknowledged when all its messages are.
type request struct {
	messages []*outgoing
	lane     *lane
	due      int64 // when it was, or should have been, sent
	left     atomic.Int32
	failed   atomic.Pointer[error]
	finished func(r *request, err error)
}

// A lane numbers what must arrive in order. Only one goroutine sends on it.
type lane struct {
	id   uint32
	next uint64
}

func newRequest(records, recordBytes int, lane *lane, finished func(*request, error)) *request {
	r := &request{lane: lane, finished: finished}
	memory := make([]byte, records*recordBytes)
	for i := range records {
		r.messages = append(r.messages, &outgoing{value: memory[i*recordBytes : (i+1)*recordBytes : (i+1)*recordBytes], request: r})
	}
	return r
}

func (r *request) bytes() int64 { return int64(len(r.messages) * len(r.messages[0].value)) }

// prepare gives the messages new contents.
func (r *request) prepare(due int64, random *randomBytes) {
	r.due = due
	r.left.Store(int32(len(r.messages)))
	for _, m := range r.messages {
		binary.LittleEndian.PutUint32(m.value[0:], run)
		binary.LittleEndian.PutUint32(m.value[4:], r.lane.id)
		binary.LittleEndian.PutUint64(m.value[8:], r.lane.next)
		binary.LittleEndian.PutUint64(m.value[16:], uint64(due))
		random.fill(m.value[24:])
		r.lane.next++
	}
}

func (r *request) acknowledged(err error) {
	if err != nil {
		r.failed.CompareAndSwap(nil, &err)
	}
	if r.left.Add(-1) == 0 {
		if failed := r.failed.Swap(nil); failed != nil {
			err = *failed
		}
		r.finished(r, err)
	}
}

const randomPoolBytes = 64 << 20 // larger than the caches, and than the window of any compression

var randomPool = sync.OnceValue(func() []byte {
	pool := make([]byte, randomPoolBytes)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(pool)
	return pool
})

// randomBytes cuts pieces from a pool, never two alike: each begins with a number that was never used before.
type randomBytes struct {
	pool     []byte
	position int
	source   *rand.PCG
}

func newRandomBytes() *randomBytes {
	pool := randomPool()
	return &randomBytes{pool: pool, position: rand.IntN(len(pool)), source: rand.NewPCG(rand.Uint64(), rand.Uint64())}
}

func (r *randomBytes) fill(value []byte) {
	if r.position+len(value) > len(r.pool) {
		r.position = int(r.source.Uint64() % 4096)
	}
	copy(value, r.pool[r.position:])
	binary.LittleEndian.PutUint64(value, r.source.Uint64())
	r.position += len(value)
}

// A checker sees every record of one stream and says what is missing, doubled or out of order.
type checker struct {
	next     map[uint64]uint64 // by run and lane
	problems int64
	first    string
}

func newChecker() *checker { return &checker{next: map[uint64]uint64{}} }

// got gives the time at which the record was due.
func (c *checker) got(value []byte) (due int64) {
	if len(value) < headerBytes {
		c.problem(fmt.Sprintf("a record of %d bytes, which this program never wrote", len(value)))
		return 0
	}
	key := binary.LittleEndian.Uint64(value)
	sequence := binary.LittleEndian.Uint64(value[8:])
	if expected := c.next[key]; sequence != expected {
		c.problem(fmt.Sprintf("lane %d: record %d came where %d was due", key>>32, sequence, expected))
	}
	c.next[key] = sequence + 1
	return int64(binary.LittleEndian.Uint64(value[16:]))
}

func (c *checker) problem(text string) {
	c.problems++
	if c.first == "" {
		c.first = text
	}
}
