// paho.mqtt.golang, MQTT 3.1.1.
package main

import (
	"fmt"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"confab/test/clients/lines"
)

type client struct{ mqtt.Client }

func (c client) Subscribe(filter string, qos byte) {
	token := c.Client.Subscribe(filter, qos, nil)
	go func() {
		token.Wait()
		lines.Say("subscribed", token.(*mqtt.SubscribeToken).Result()[filter])
	}()
}

func (c client) Unsubscribe(filter string) {
	token := c.Client.Unsubscribe(filter)
	go func() {
		token.Wait()
		lines.Say("unsubscribed")
	}()
}

func (c client) Publish(topic string, qos byte, retain bool, payload string) {
	token := c.Client.Publish(topic, qos, retain, payload)
	go func() {
		token.Wait()
		lines.Say("published", 0)
	}()
}

func main() {
	settings := lines.Arguments()
	options := mqtt.NewClientOptions()
	options.AddBroker(fmt.Sprintf("tcp://%s:%s", settings["host"], settings["port"]))
	options.SetClientID(settings["id"])
	options.SetUsername(settings["user"])
	options.SetProtocolVersion(4)
	options.SetCleanSession(settings["clean"] == "1")
	options.SetMaxReconnectInterval(time.Second)
	options.SetDefaultPublishHandler(func(_ mqtt.Client, message mqtt.Message) {
		lines.Message(message.Topic(), message.Qos(), message.Retained(), message.Payload())
	})
	// The first CONNACK is said below; later ones do not show Session Present.
	reconnected := false
	options.SetOnConnectHandler(func(mqtt.Client) {
		if reconnected {
			lines.Say("connected", lines.Bit(settings["clean"] == "0"), 0)
		}
		reconnected = true
	})
	options.SetConnectionLostHandler(func(mqtt.Client, error) { lines.Say("disconnected") })
	if topic, ok := settings["will_topic"]; ok {
		options.SetWill(topic, settings["will_payload"], byte(settings.Number("will_qos")), false)
	}
	c := client{mqtt.NewClient(options)}
	token := c.Connect()
	token.Wait()
	if token.Error() != nil {
		panic(token.Error())
	}
	lines.Say("connected", lines.Bit(token.(*mqtt.ConnectToken).SessionPresent()), 0)
	lines.Obey(c)
	c.Disconnect(1000)
}
