#!/usr/bin/env python3
"""paho-mqtt 2: ../../e2e/clients/README.md has the lines that come in and go out."""
import sys

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lines import commands, say, settings

V5 = settings['v'] == '5'
CLEAN = settings['clean'] == '1'


def properties(kind, **values):
    if not V5:
        return None
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def on_connect(client, userdata, flags, reason, properties):
    say('connected', int(flags.session_present), reason.value)


def on_message(client, userdata, message):
    say('message', message.topic, message.qos, int(message.retain), message.payload.decode())


client = paho.Client(
    paho.CallbackAPIVersion.VERSION2, settings['id'],
    protocol=paho.MQTTv5 if V5 else paho.MQTTv311,
    **({} if V5 else {'clean_session': CLEAN}))
client.username_pw_set(settings['user'], settings.get('password'))
client.on_connect = on_connect
client.on_message = on_message
client.on_disconnect = lambda *arguments: say('disconnected')
client.on_subscribe = lambda client, userdata, mid, codes, properties: say('subscribed', codes[0].value)
client.on_unsubscribe = lambda *arguments: say('unsubscribed')
client.on_publish = lambda client, userdata, mid, reason, properties: say('published', mid)
client.reconnect_delay_set(1, 1)
if 'will_topic' in settings:
    client.will_set(settings['will_topic'], settings['will_payload'], int(settings['will_qos']),
                    settings.get('will_retain') == '1')
client.connect(settings['host'], int(settings['port']), 30, **({
    'clean_start': CLEAN,
    'properties': properties(PacketTypes.CONNECT, SessionExpiryInterval=int(settings['expiry'])),
} if V5 else {}))
client.loop_start()
for command, *fields in commands(sys.stdin):
    if command == 'subscribe':
        client.subscribe(fields[0], int(fields[1]))
    elif command == 'unsubscribe':
        client.unsubscribe(fields[0])
    elif command == 'publish':
        topic, qos, retain, payload = fields
        client.publish(topic, payload, int(qos), retain == '1')
client.disconnect()
client.loop_stop()
