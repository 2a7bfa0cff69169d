package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"
)

// A check is told to the runner as one line of JSON: {feature, name, ok, note, seconds, refused?}.
type check struct {
	feature, name string
	// What the client has to say of what is not served yet; nil for an ordinary check.
	clear *regexp.Regexp
	body  func() error
}

// Checks is the list of all checks, in order.
type Checks struct{ list []check }

// Add adds a check: it works when body returns nil.
func (c *Checks) Add(feature, name string, body func() error) {
	c.list = append(c.list, check{feature, name, nil, body})
}

// NotServed adds a check of what is not served yet: body returns what the client says, which has to match clear, or nil when it works.
func (c *Checks) NotServed(feature, clear string, body func() error) {
	c.list = append(c.list, check{feature, "the client says so", regexp.MustCompile(clear), body})
}

func (c *Checks) run() {
	out := json.NewEncoder(os.Stdout)
	for _, each := range c.list {
		started := time.Now()
		err := guarded(each.body)
		told := map[string]any{"feature": each.feature, "name": each.name, "ok": err == nil, "note": ""}
		if err != nil {
			told["note"] = err.Error()
		}
		if each.clear != nil {
			found := ""
			if err != nil {
				found = each.clear.FindString(err.Error())
			}
			told["ok"], told["refused"] = found != "", true
			switch {
			case err == nil:
				told["note"] = "it works now: make this an ordinary check"
			case found == "":
				told["note"] = "not a clear refusal: " + err.Error()
			default:
				told["note"] = found
			}
		}
		told["seconds"] = time.Since(started).Seconds()
		if err := out.Encode(told); err != nil {
			panic(err)
		}
	}
}

func guarded(body func() error) (err error) {
	defer func() {
		if failed := recover(); failed != nil {
			err = fmt.Errorf("%v", failed)
		}
	}()
	return body()
}

// must gives back the value; an error ends the check.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func expect(condition bool, format string, args ...any) {
	if !condition {
		panic(fmt.Sprintf(format, args...))
	}
}

func expectError(err, wanted error) {
	expect(errors.Is(err, wanted), "expected %v, got %v", wanted, err)
}
