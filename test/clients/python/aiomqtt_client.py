#!/usr/bin/env python3
"""aiomqtt: ../../e2e/clients/README.md has the lines that come in and go out.

aiomqtt leaves reconnecting to its user. This is the loop its documentation shows:
the same Client is entered again after an MqttError. A publish that failed with the
connection stays in the client's session and is sent again by the library."""
import asyncio

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from lines import commands_async, say, settings

V5 = settings['v'] == '5'
CLEAN = settings['clean'] == '1'


def session():
    if not V5:
        return {'protocol': aiomqtt.ProtocolVersion.V311, 'clean_session': CLEAN}
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = int(settings['expiry'])
    return {'protocol': aiomqtt.ProtocolVersion.V5, 'clean_start': CLEAN, 'properties': properties}


def will():
    if 'will_topic' not in settings:
        return None
    return aiomqtt.Will(settings['will_topic'], settings['will_payload'], int(settings['will_qos']),
                        settings.get('will_retain') == '1')


async def publish(client, connected, topic, qos, retain, payload):
    await connected.wait()
    try:
        await client.publish(topic, payload, int(qos), retain == '1')
    except aiomqtt.MqttError:
        await connected.wait()
    say('published', 0)


async def obey(client, connected, command, *fields):
    if command == 'subscribe':
        codes = await client.subscribe(fields[0], int(fields[1]))
        say('subscribed', codes[0].value if hasattr(codes[0], 'value') else codes[0])
    elif command == 'unsubscribe':
        await client.unsubscribe(fields[0])
        say('unsubscribed')
    elif command == 'publish':
        await publish(client, connected, *fields)


async def connections(client, connected):
    while True:
        try:
            async with client:
                # the library does not show the CONNACK: a fresh session has none
                say('connected', int(settings['clean'] == '0'), 0)
                connected.set()
                async for message in client.messages:
                    say('message', message.topic, message.qos, int(message.retain), message.payload.decode())
        except aiomqtt.MqttError:
            connected.clear()
            say('disconnected')
            await asyncio.sleep(1)


async def main():
    client = aiomqtt.Client(
        settings['host'], int(settings['port']), identifier=settings['id'],
        username=settings['user'], password=settings.get('password'), will=will(), timeout=10, **session())
    connected = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        living = tasks.create_task(connections(client, connected))
        async for command in commands_async():
            tasks.create_task(obey(client, connected, *command))
        living.cancel()


asyncio.run(main())
