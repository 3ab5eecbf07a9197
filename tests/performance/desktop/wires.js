// Ways of a page to the other ones, as its developer would write them: a wire has publish, subscribe,
// request and respond. The page's address names the wire.
'use strict';

const lost = { gaps: 0, refused: 0 };

/** Requests and answers over messages that everybody gets. */
function asking(publish, subscribe) {
  const waiting = new Map();
  const me = Math.random().toString(36).slice(2);
  let last = 0;
  subscribe(`answers.${me}`, ({ id, answer }) => {
    waiting.get(id)(answer);
    waiting.delete(id);
  });
  return {
    publish,
    subscribe: async (topic, listener) => subscribe(topic, listener),
    request: (topic, payload) =>
      new Promise((resolve) => {
        const id = ++last;
        waiting.set(id, resolve);
        publish(topic, { from: me, id, payload });
      }),
    respond: async (topic, handler) => {
      subscribe(topic, ({ from, id, payload }) => {
        publish(`answers.${from}`, { id, answer: handler(payload) });
      });
    },
  };
}

/** Listeners by topic. */
function listeners() {
  const all = new Map();
  return {
    add: (topic, listener) => all.set(topic, [...(all.get(topic) ?? []), listener]),
    tell(topic, payload) {
      for (const listener of all.get(topic) ?? []) listener(payload);
    },
  };
}

const WIRES = {
  deskbus() {
    window.deskbus.onGap(() => (lost.gaps += 1));
    window.deskbus.onRefused(() => (lost.refused += 1));
    return {
      publish: (topic, payload) => window.deskbus.publish(topic, payload),
      subscribe: (topic, listener) =>
        window.deskbus.subscribe(topic, ({ payload }) => {
          listener(payload);
        }),
      request: async (topic, payload) => (await window.deskbus.request(topic, payload)).payload,
      respond: (topic, handler) => window.deskbus.respond(topic, handler),
    };
  },

  'electron-ipc'() {
    const known = listeners();
    window.plainIpc.onMessage(known.tell);
    return {
      publish: window.plainIpc.publish,
      async subscribe(topic, listener) {
        known.add(topic, listener);
        await window.plainIpc.subscribe(topic);
      },
      request: window.plainIpc.request,
      respond: async (topic, handler) => window.plainIpc.respond(topic, handler),
    };
  },

  'broadcast-channel'() {
    const known = listeners();
    const channel = new BroadcastChannel('bench');
    channel.onmessage = ({ data: [topic, payload] }) => known.tell(topic, payload);
    const publish = (topic, payload) => channel.postMessage([topic, payload]);
    return asking(publish, known.add);
  },

  async 'ws-in-main'(parameters) {
    const known = listeners();
    const socket = new WebSocket(`ws://127.0.0.1:${parameters.get('port')}`);
    socket.onmessage = ({ data }) => {
      const [topic, payload] = JSON.parse(data);
      known.tell(topic, payload);
    };
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const publish = (topic, payload) => socket.send(JSON.stringify([topic, payload]));
    return asking(publish, known.add);
  },
};

async function openWire() {
  const parameters = new URLSearchParams(location.search);
  return WIRES[parameters.get('wire')](parameters);
}

window.wires = { openWire, lost };
