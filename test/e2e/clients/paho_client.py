#!/usr/bin/env python3
"""Eclipse Paho, driven by a test: README.md in this folder has the lines that
come in and go out."""
import sys
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

settings = dict(argument.split('=', 1) for argument in sys.argv[1:])
version = int(settings.get('v', 5))
output = threading.Lock()


def say(*fields):
    with output:
        print(*fields, sep='\t', flush=True)


def on_connect(client, userdata, flags, reason, properties=None):
    code = reason.value if hasattr(reason, 'value') else reason
    say('connected', flags['session present'], code)


def on_disconnect(client, userdata, reason, properties=None):
    say('disconnected')


def on_subscribe(client, userdata, mid, granted, properties=None):
    say('subscribed', *(code.value if hasattr(code, 'value') else code
                        for code in granted))


def on_message(client, userdata, message):
    say('message', message.topic, message.qos, int(message.retain),
        message.payload.decode())


def on_publish(client, userdata, mid):
    say('published', mid)


def properties(kind, **values):
    if version != 5:
        return None
    made = Properties(kind)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def make_client():
    clean = settings.get('clean', '1') == '1'
    options = {} if version == 5 else {'clean_session': clean}
    if hasattr(paho, 'CallbackAPIVersion'):  # Paho 2, in Debian 13
        options['callback_api_version'] = paho.CallbackAPIVersion.VERSION1
    client = paho.Client(client_id=settings['id'], protocol=version, **options)
    client.username_pw_set(settings['user'], settings.get('password'))
    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.on_publish = on_publish
    client.on_unsubscribe = lambda *arguments: say('unsubscribed')
    client.reconnect_delay_set(1, 1)
    if 'ca' in settings:
        client.tls_set(settings['ca'])
    if 'will_topic' in settings:
        client.will_set(
            settings['will_topic'], settings.get('will_payload', ''),
            int(settings.get('will_qos', 0)), settings.get('will_retain') == '1',
            properties=properties(
                PacketTypes.WILLMESSAGE,
                WillDelayInterval=int(settings.get('will_delay', 0))))
    return client


def connect(client):
    options = {}
    if version == 5:
        options['clean_start'] = settings.get('clean', '1') == '1'
        options['properties'] = properties(
            PacketTypes.CONNECT,
            SessionExpiryInterval=int(settings.get('expiry', 0)))
    client.connect(settings['host'], int(settings['port']),
                   int(settings.get('keepalive', 30)), **options)


def obey(client, command, *fields):
    if command == 'subscribe':
        client.subscribe(fields[0], int(fields[1]))
    elif command == 'unsubscribe':
        client.unsubscribe(fields[0])
    elif command == 'publish':
        topic, qos, retain, payload = fields
        client.publish(topic, payload, int(qos), retain == '1')


def main():
    client = make_client()
    connect(client)
    client.loop_start()
    for line in sys.stdin:
        obey(client, *line.rstrip('\n').split('\t'))
    client.disconnect()
    client.loop_stop()


main()
