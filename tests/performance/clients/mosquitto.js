// MQTT at QoS 0 over the broker's Unix socket. mqtt.js corks the socket for one turn of the event
// loop by itself.
'use strict';
const { createConnection } = require('net');
const { MqttClient } = require('mqtt');

exports.connect = async ({ path }) => {
  const client = new MqttClient(() => createConnection(path), {
    keepalive: 0,
    reconnectPeriod: 0,
    protocolVersion: 4,
    queueQoSZero: true,
  });
  await new Promise((resolve, reject) => {
    client.once('connect', resolve);
    client.once('error', reject);
  });
  return {
    publish: (topic, payload) => void client.publish(topic, payload),
    async subscribe(topic, onMessage) {
      client.on('message', (_topic, payload) => onMessage(payload.toString()));
      await client.subscribeAsync(topic);
    },
    close: () => client.endAsync(true),
  };
};
