// The checks of franz-go, against the broker given as argument; with "restart" behind it, the client that lives over a restart of the broker.
package main

import "os"

func main() {
	client := newClient(os.Args[1])
	if len(os.Args) > 2 && os.Args[2] == "restart" {
		overRestart(client)
		return
	}
	checks := &Checks{}
	producerChecks(checks, client)
	consumerChecks(checks, client)
	adminChecks(checks, client)
	checks.run()
}
