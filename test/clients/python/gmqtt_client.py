#!/usr/bin/env python3
"""gmqtt: ../../e2e/clients/README.md has the lines that come in and go out."""
import asyncio

import gmqtt
from gmqtt.mqtt.constants import MQTTv311, MQTTv50

from lines import commands_async, say, settings

V5 = settings['v'] == '5'


def will():
    if 'will_topic' not in settings:
        return None
    return gmqtt.Message(settings['will_topic'], settings['will_payload'], qos=int(settings['will_qos']),
                         retain=settings.get('will_retain') == '1')


def on_connect(client, flags, reason, properties):
    say('connected', flags & 1, reason)


def on_message(client, topic, payload, qos, properties):
    say('message', topic, qos, properties['retain'], payload.decode())
    return 0


async def main():
    client = gmqtt.Client(
        settings['id'], clean_session=settings['clean'] == '1', will_message=will(),
        **({'session_expiry_interval': int(settings['expiry'])} if V5 else {}))
    client.set_auth_credentials(settings['user'], settings.get('password'))
    client.set_config({'reconnect_retries': gmqtt.constants.UNLIMITED_RECONNECTS, 'reconnect_delay': 1})
    client.on_connect = on_connect
    client.on_message = on_message
    client.on_disconnect = lambda *arguments: say('disconnected')
    client.on_subscribe = lambda client, mid, codes, properties: say('subscribed', codes[0])
    client.on_unsubscribe = lambda *arguments: say('unsubscribed')
    await client.connect(settings['host'], int(settings['port']), keepalive=30, version=MQTTv50 if V5 else MQTTv311)
    async for command, *fields in commands_async():
        if command == 'subscribe':
            client.subscribe(fields[0], qos=int(fields[1]))
        elif command == 'unsubscribe':
            client.unsubscribe(fields[0])
        elif command == 'publish':
            topic, qos, retain, payload = fields
            client.publish(topic, payload, qos=int(qos), retain=retain == '1')
            say('published', 0)  # it does not tell when the acknowledgement comes
    await client.disconnect()


asyncio.run(main())
