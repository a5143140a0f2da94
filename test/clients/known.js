'use strict'
// Cells that may fail by the library's own doing. docs/mqtt-conformance.md has the
// packets that show whose fault it is.
const faults = [
  ...['QoS 1 over kill', 'QoS 2 over kill'].map((column) => ({
    name: 'aiomqtt',
    versions: [5, 4],
    column,
    error: /^message for .* not within/,
    why: 'does not notice that its connection was lost when that is at once, and never connects again'
  })),
  {
    name: 'paho-go',
    versions: [4],
    column: 'QoS 2 over kill',
    error: /^received once/,
    why: 'hands a repeated QoS 2 PUBLISH, same identifier, DUP 1, before its PUBREL, to the application again (MQTT311-4.3.3-2)'
  },
  {
    name: 'paho-java-5',
    versions: [5],
    column: 'QoS 2 over kill',
    error: /^received once/,
    why: 'hands a repeated QoS 2 PUBLISH, same identifier, DUP 1, before its PUBREL, to the application again (MQTT-4.3.3-10)'
  },
  {
    name: 'rumqttc',
    versions: [5, 4],
    column: 'QoS 2 over kill',
    error: /^message for .* not within/,
    why: 'forgets the identifiers of a session that is resumed and closes at each repeated PUBREL (MQTT-4.3.3-11, MQTT311-4.3.3-2)'
  }
]

const known = (name, v, column, error) =>
  faults.find((fault) => fault.name === name && fault.versions.includes(v) && fault.column === column && fault.error.test(error))?.why

module.exports = { known }
