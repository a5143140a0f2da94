// Package lines is what drivers are told and say: ../../../e2e/clients/README.md.
package lines

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Settings are the arguments name=value.
type Settings map[string]string

// Arguments are those of this program.
func Arguments() Settings {
	settings := Settings{}
	for _, argument := range os.Args[1:] {
		name, value, _ := strings.Cut(argument, "=")
		settings[name] = value
	}
	return settings
}

// Number is a setting's value, or 0 without it.
func (settings Settings) Number(name string) int {
	value, _ := strconv.Atoi(settings[name])
	return value
}

var output sync.Mutex

// Say writes one line.
func Say(fields ...any) {
	texts := make([]string, len(fields))
	for i, field := range fields {
		texts[i] = fmt.Sprint(field)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(strings.Join(texts, "\t"))
}

// Bit is 1 or 0.
func Bit(set bool) int {
	if set {
		return 1
	}
	return 0
}

// Message says a message as the library gave it.
func Message(topic string, qos byte, retain bool, payload []byte) {
	Say("message", topic, qos, Bit(retain), string(payload))
}

// Client is what a driver can be told to do. Publish must not wait for the
// acknowledgement.
type Client interface {
	Subscribe(filter string, qos byte)
	Unsubscribe(filter string)
	Publish(topic string, qos byte, retain bool, payload string)
}

// Obey has the client do what standard input says, to its end.
func Obey(client Client) {
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		fields := strings.Split(input.Text(), "\t")
		switch fields[0] {
		case "subscribe":
			client.Subscribe(fields[1], level(fields[2]))
		case "unsubscribe":
			client.Unsubscribe(fields[1])
		case "publish":
			client.Publish(fields[1], level(fields[2]), fields[3] == "1", fields[4])
		}
	}
}

func level(text string) byte {
	value, _ := strconv.Atoi(text)
	return byte(value)
}
