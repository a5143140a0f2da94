// r3labs/sse: ../../README.md has the lines that come out.
package main

import (
	"fmt"

	"github.com/r3labs/sse/v2"

	"confab/test/clients/lines"
)

func main() {
	client := sse.NewClient(lines.Arguments()["url"])
	// It comes back by itself when a stream breaks, with its Last-Event-ID, and
	// returns nil when the stream ends.
	err := client.SubscribeRaw(func(event *sse.Event) {
		if len(event.Data) > 0 {
			fmt.Printf("event\t%s\t%s\n", event.Event, event.Data)
		}
	})
	fmt.Printf("ended\t%v\n", err)
}
