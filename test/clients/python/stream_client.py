#!/usr/bin/env python3
"""Readers of streams: ../README.md has the lines that come out. library= says which.

Only requests_sse comes back by itself. Around the others stands the loop that their
documentation leaves to the user: again, with Last-Event-ID, after an exception. A
stream that just ends is over: the user's loop is done."""
import time

import httpx
import httpx_sse
import requests
import requests_sse
import sseclient

from lines import say, settings

PAUSE = 0.5
url = settings['url']
ACCEPT = {'Accept': 'text/event-stream'}


def iter_lines(headers):
    """→ (event, id, data), by requests alone."""
    fields = {}
    with requests.get(url, stream=True, headers=headers) as response:
        response.raise_for_status()
        for line in response.iter_lines(decode_unicode=True):
            if line:
                name, _, value = line.partition(':')
                fields[name] = value.removeprefix(' ')
            else:
                yield fields.get('event', 'message'), fields.get('id', ''), fields.get('data', '')
                fields = {}


def sseclient_py(headers):
    with requests.get(url, stream=True, headers=headers) as response:
        response.raise_for_status()
        for event in sseclient.SSEClient(response).events():
            yield event.event, event.id, event.data


def httpx_events(headers):
    with httpx.Client(timeout=httpx.Timeout(10, read=None)) as client:
        with httpx_sse.connect_sse(client, 'GET', url, headers=headers) as source:
            for event in source.iter_sse():
                yield event.event, event.id, event.data


def requests_events(headers):
    with requests_sse.EventSource(url, headers=headers, max_connect_retry=60) as source:
        for event in source:
            yield event.type, event.last_event_id, event.data


def again(read):
    last = ''
    while True:
        try:
            for event, number, data in read({**ACCEPT, **({'Last-Event-ID': last} if last else {})}):
                last = number or last
                if data:
                    say('event', event, data)
            return
        except (requests.RequestException, httpx.TransportError):
            time.sleep(PAUSE)


readers = {
    'iter_lines': lambda: again(iter_lines),
    'sseclient-py': lambda: again(sseclient_py),
    'httpx-sse': lambda: again(httpx_events),
    'requests-sse': lambda: [say('event', event, data) for event, _, data in requests_events(ACCEPT) if data]
}
readers[settings['library']]()
say('ended')
