// The checks of franz-go, against the broker given as argument; with "restart" behind it, the client that lives over a restart of the broker, with "member", a member of a group.
package main

import "os"

func main() {
	if len(os.Args) > 2 && os.Args[2] == "member" {
		runMember(os.Args[1], os.Args[3], os.Args[4], os.Args[5])
		return
	}
	client := newClient(os.Args[1])
	if len(os.Args) > 2 && os.Args[2] == "restart" {
		overRestart(client)
		return
	}
	checks := &Checks{}
	producerChecks(checks, client)
	consumerChecks(checks, client)
	adminChecks(checks, client)
	groupChecks(checks, client)
	checks.run()
}
