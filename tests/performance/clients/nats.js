// NATS core and JetStream through the official client. Its own buffer gathers what one turn of the
// event loop publishes, so batching needs nothing more.
'use strict';

const STREAM = 'bench';
const HEARTBEAT_NS = 5_000_000_000;

exports.connect = async ({ port, iterates, library }) => {
  const { AckPolicy, DeliverPolicy, StorageType, connect } = require(library);
  const connection = await connect({ servers: `127.0.0.1:${port}` });

  // The client's documentation reads messages with `for await`; a callback is its faster form.
  async function iterate(subscription, onMessage) {
    for await (const message of subscription) onMessage(message.string());
  }

  function listen(subject, onMessage) {
    if (iterates) {
      void iterate(connection.subscribe(subject), (text) => onMessage(text));
      return;
    }
    connection.subscribe(subject, {
      callback(error, message) {
        if (error) throw error;
        onMessage(message.string(), message);
      },
    });
  }

  return {
    publish: (topic, payload) => connection.publish(topic, payload),
    async subscribe(topic, onMessage) {
      listen(topic, (text) => onMessage(text));
      await connection.flush();
    },

    request: async (topic, payload) => (await connection.request(topic, payload)).string(),
    async respondTo(topic, responder) {
      listen(topic, (text, message) => message.respond(responder(text)));
      await connection.flush();
    },

    async openStore(topic) {
      const manager = await connection.jetstreamManager();
      await manager.streams.add({
        name: STREAM,
        subjects: [topic],
        storage: StorageType.File,
      });
      const stream = connection.jetstream();
      return (payload) => stream.publish(topic, payload);
    },

    // Settings of the ordered consumer: pushed, with flow control, nothing acknowledged. It is
    // the fastest way that JetStream has to read a stream from its beginning.
    async replay(_topic, onMessage) {
      const inbox = `replay.${process.pid}`;
      listen(inbox, (text, message) => {
        if (message.headers && text === '') message.respond();
        else onMessage(text);
      });
      const manager = await connection.jetstreamManager();
      await manager.consumers.add(STREAM, {
        deliver_subject: inbox,
        deliver_policy: DeliverPolicy.All,
        ack_policy: AckPolicy.None,
        flow_control: true,
        idle_heartbeat: HEARTBEAT_NS,
        max_deliver: 1,
        mem_storage: true,
        num_replicas: 1,
      });
    },
    close: () => connection.close(),
  };
};
