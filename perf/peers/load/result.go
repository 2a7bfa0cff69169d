package main

import (
	"encoding/json"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// Nanoseconds: from a microsecond to ten minutes, three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1000, int64(10*time.Minute), 3) }

// A recorder counts for one connection; the result adds them up.
type recorder struct {
	mutex                    sync.Mutex
	requests, records, bytes int64
	latency, interval        *hdrhistogram.Histogram
	intervalBytes            int64
}

func newRecorder() *recorder { return &recorder{latency: newHistogram(), interval: newHistogram()} }

// record counts a request, if bytes are given, and a latency if it is not negative.
func (r *recorder) record(records, bytes, latency int64) {
	r.mutex.Lock()
	r.requests++
	r.records += records
	r.bytes += bytes
	r.intervalBytes += bytes
	if latency >= 0 {
		latency = min(latency, r.latency.HighestTrackableValue())
		_ = r.latency.RecordValue(latency)
		_ = r.interval.RecordValue(latency)
	}
	r.mutex.Unlock()
}

// A result is one run: the measured part, from begin to end, of what its recorders count, and what went wrong in all of it.
type result struct {
	measuring         atomic.Bool
	acknowledgedBytes atomic.Int64 // warm-up and drain included

	recorders   []*recorder
	beganAt     int64
	endedAt     int64
	cpuBegan    unix.Rusage
	cpuEnded    unix.Rusage
	intervalMb  []float64
	intervalP99 []float64
	ticker      chan struct{}
	tickerEnded sync.WaitGroup
	errorsMutex sync.Mutex
	errors      map[string]int64
	lost        int64
	unanswered  int64
	chainErrors int64
	missing     int64
	// End-to-end: messages that were due in the measured part and did not come; their latency is their age at the end.
	neverReceived int64
	failureCause  string
}

func newResult() *result { return &result{errors: map[string]int64{}} }

// recorder is for one connection; all are made before begin.
func (r *result) recorder() *recorder {
	one := newRecorder()
	r.recorders = append(r.recorders, one)
	return one
}

func cpuOfProcess() (usage unix.Rusage) {
	_ = unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return usage
}

// begin starts the measured part; nothing counts before.
func (r *result) begin() {
	r.cpuBegan = cpuOfProcess()
	r.beganAt = now()
	r.ticker = make(chan struct{})
	r.measuring.Store(true)
	r.tickerEnded.Add(1)
	go func() {
		defer r.tickerEnded.Done()
		seconds := time.NewTicker(time.Second)
		defer seconds.Stop()
		for {
			select {
			case <-seconds.C:
				r.interval()
			case <-r.ticker:
				return
			}
		}
	}()
}

func (r *result) interval() {
	all := newHistogram()
	var bytes int64
	for _, one := range r.recorders {
		one.mutex.Lock()
		all.Merge(one.interval)
		one.interval.Reset()
		bytes += one.intervalBytes
		one.intervalBytes = 0
		one.mutex.Unlock()
	}
	r.intervalMb = append(r.intervalMb, float64(bytes)/1e6)
	r.intervalP99 = append(r.intervalP99, micros(all.ValueAtPercentile(99)))
}

func (r *result) end() {
	if !r.measuring.Swap(false) {
		return
	}
	r.endedAt = now()
	r.cpuEnded = cpuOfProcess()
	close(r.ticker)
	r.tickerEnded.Wait()
}

func (r *result) error(err error) {
	r.errorsMutex.Lock()
	defer r.errorsMutex.Unlock()
	if len(r.errors) < 100 || r.errors[err.Error()] > 0 {
		r.errors[err.Error()]++
	} else {
		r.errors["others"]++
	}
}

func (r *result) errorCount() (count int64) {
	r.errorsMutex.Lock()
	defer r.errorsMutex.Unlock()
	for _, n := range r.errors {
		count += n
	}
	return count
}

func (r *result) sound() bool {
	return r.errorCount() == 0 && r.lost == 0 && r.unanswered == 0 && r.chainErrors == 0 && r.missing == 0 && r.failureCause == ""
}

func micros(nanoseconds int64) float64 { return float64(nanoseconds/100) / 10 }

type percentile [2]float64

type latencies struct {
	Count  int64        `json:"count"`
	Mean   float64      `json:"mean"`
	Min    float64      `json:"min"`
	P50    float64      `json:"p50"`
	P90    float64      `json:"p90"`
	P99    float64      `json:"p99"`
	P999   float64      `json:"p99.9"`
	Max    float64      `json:"max"`
	Ladder []percentile `json:"ladder"`
}

func latenciesOf(recorders []*recorder) latencies {
	h := newHistogram()
	for _, one := range recorders {
		one.mutex.Lock()
		h.Merge(one.latency)
		one.mutex.Unlock()
	}
	at := func(p float64) float64 { return micros(h.ValueAtPercentile(p)) }
	l := latencies{Count: h.TotalCount(), Mean: micros(int64(h.Mean())), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: micros(h.Max())}
	if l.Count > 0 {
		l.Min = micros(h.Min())
	}
	for _, p := range []float64{1, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100} {
		l.Ladder = append(l.Ladder, percentile{p, at(p)})
	}
	return l
}

// A report is what the program prints. Names and units are kload's where it has them.
type report struct {
	Tool              string           `json:"tool"`
	System            string           `json:"system"`
	Mode              string           `json:"mode"`
	Topic             string           `json:"topic"`
	Partitions        int              `json:"partitions"`
	Connections       int              `json:"connections"`
	InFlight          int              `json:"in_flight"`
	RecordBytes       int              `json:"record_bytes"`
	RecordsPerRequest int              `json:"records_per_request"`
	Loop              string           `json:"loop"`
	Rate              float64          `json:"rate"`
	Seconds           float64          `json:"seconds"`
	Requests          int64            `json:"requests"`
	Batches           int64            `json:"batches"`
	Records           int64            `json:"records"`
	Bytes             int64            `json:"bytes"`
	AcknowledgedBytes int64            `json:"acknowledged_bytes_total"`
	MbPerS            float64          `json:"mb_per_s"`
	RequestsPerS      float64          `json:"requests_per_s"`
	RecordsPerS       float64          `json:"records_per_s"`
	CpuUser           float64          `json:"client_cpu_user_s"`
	CpuSystem         float64          `json:"client_cpu_system_s"`
	ErrorCount        int64            `json:"error_count"`
	Errors            map[string]int64 `json:"errors"`
	Unanswered        int64            `json:"unanswered"`
	ConnectionsLost   int64            `json:"connections_lost"`
	ChainErrors       int64            `json:"chain_errors"`
	CrcErrors         int64            `json:"crc_errors"`
	Missing           int64            `json:"missing"`
	NeverReceived     int64            `json:"never_received"`
	Go                string           `json:"go"`
	Latency           latencies        `json:"latency_us"`
	// Only end-to-end, where latency_us ends with the receipt: here it ends with the acknowledgement.
	Acknowledged *latencies `json:"ack_latency_us,omitempty"`
	IntervalMb   []float64  `json:"interval_mb"`
	IntervalP99  []float64  `json:"interval_p99_us"`
}

func seconds(t unix.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func (r *result) print(o *options, acknowledgements []*recorder) {
	elapsed := max(float64(r.endedAt-r.beganAt)/1e9, 1e-9)
	loop := "closed"
	if o.mode == modeEndToEnd {
		loop = "open"
	}
	p := report{
		Tool: "go-load", System: o.system, Mode: o.mode, Topic: o.topic, Partitions: o.streams,
		Connections: o.connections, InFlight: o.inFlight, RecordBytes: o.recordBytes, RecordsPerRequest: o.recordsPerRequest,
		Loop: loop, Rate: o.rate, Seconds: elapsed, AcknowledgedBytes: r.acknowledgedBytes.Load(),
		CpuUser:    seconds(r.cpuEnded.Utime) - seconds(r.cpuBegan.Utime),
		CpuSystem:  seconds(r.cpuEnded.Stime) - seconds(r.cpuBegan.Stime),
		ErrorCount: r.errorCount(), Errors: r.errors, Unanswered: r.unanswered, ConnectionsLost: r.lost,
		ChainErrors: r.chainErrors, Missing: r.missing, NeverReceived: r.neverReceived, Go: runtime.Version(), Latency: latenciesOf(r.recorders),
		IntervalMb: r.intervalMb, IntervalP99: r.intervalP99,
	}
	if p.IntervalMb == nil {
		p.IntervalMb, p.IntervalP99 = []float64{}, []float64{}
	}
	for _, one := range r.recorders {
		p.Requests += one.requests
		p.Records += one.records
		p.Bytes += one.bytes
	}
	p.Batches = p.Requests
	p.MbPerS = float64(p.Bytes) / 1e6 / elapsed
	p.RequestsPerS = float64(p.Requests) / elapsed
	p.RecordsPerS = float64(p.Records) / elapsed
	if acknowledgements != nil {
		l := latenciesOf(acknowledgements)
		p.Acknowledged = &l
	}
	_ = json.NewEncoder(os.Stdout).Encode(p)
}
