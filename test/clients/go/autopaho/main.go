// autopaho of paho.golang, MQTT 5.0.
package main

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"confab/test/clients/lines"
)

type client struct{ *autopaho.ConnectionManager }

func (c client) Subscribe(filter string, qos byte) {
	suback, err := c.ConnectionManager.Subscribe(context.Background(), &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}},
	})
	if err != nil {
		panic(err)
	}
	lines.Say("subscribed", suback.Reasons[0])
}

func (c client) Unsubscribe(filter string) {
	if _, err := c.ConnectionManager.Unsubscribe(context.Background(), &paho.Unsubscribe{Topics: []string{filter}}); err != nil {
		panic(err)
	}
	lines.Say("unsubscribed")
}

// Publish outlives its connection: what was sent is in the client's session, and the
// library sends it again. One that there was no connection for begins again.
func (c client) Publish(topic string, qos byte, retain bool, payload string) {
	go func() {
		if err := c.AwaitConnection(context.Background()); err != nil {
			panic(err)
		}
		_, err := c.ConnectionManager.Publish(context.Background(), &paho.Publish{
			Topic: topic, QoS: qos, Retain: retain, Payload: []byte(payload),
		})
		if errors.Is(err, autopaho.ConnectionDownError) {
			c.Publish(topic, qos, retain, payload)
			return
		}
		lines.Say("published", 0)
	}()
}

func main() {
	settings := lines.Arguments()
	server, err := url.Parse("mqtt://" + settings["host"] + ":" + settings["port"])
	if err != nil {
		panic(err)
	}
	config := autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{server},
		KeepAlive:                     30,
		CleanStartOnInitialConnection: settings["clean"] == "1",
		SessionExpiryInterval:         uint32(settings.Number("expiry")),
		ReconnectBackoff:              autopaho.NewConstantBackoff(time.Second),
		ConnectUsername:               settings["user"],
		OnConnectionUp: func(_ *autopaho.ConnectionManager, connack *paho.Connack) {
			lines.Say("connected", lines.Bit(connack.SessionPresent), connack.ReasonCode)
		},
		OnConnectionDown: func() bool {
			lines.Say("disconnected")
			return true
		},
		ClientConfig: paho.ClientConfig{
			ClientID: settings["id"],
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){
				func(received paho.PublishReceived) (bool, error) {
					packet := received.Packet
					lines.Message(packet.Topic, packet.QoS, packet.Retain, packet.Payload)
					return true, nil
				}},
		},
	}
	if topic, ok := settings["will_topic"]; ok {
		config.WillMessage = &paho.WillMessage{
			Topic: topic, Payload: []byte(settings["will_payload"]), QoS: byte(settings.Number("will_qos")),
		}
	}
	ctx := context.Background()
	manager, err := autopaho.NewConnection(ctx, config)
	if err != nil {
		panic(err)
	}
	if err = manager.AwaitConnection(ctx); err != nil {
		panic(err)
	}
	lines.Obey(client{manager})
	if err = manager.Disconnect(ctx); err != nil {
		panic(err)
	}
}
