// A backend for tests of the client: a socket, and answers as they want them.
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const EPOCH = 'e1';
export const HEAD = '{"jsonrpc":"2.0","method":"bus.message","params":';

/** A backend that takes every session and answers every call; what it was sent is in `frames`. */
export class Backend {
  frames = [];
  sockets = [];
  opened = {
    app: 'com.example.app',
    client: 'main',
    epoch: EPOCH,
    resumed: false,
    resumeToken: '',
  };
  /** Answers to methods, in place of the usual ones. */
  answers = {};
  /** The beginning that a subscription is told. */
  mark = { epoch: 'e1', timestamp: 1, position: 0 };
  /** Whether it says nothing. */
  mute = false;

  async listen() {
    this.folder = await mkdtemp(join(tmpdir(), 'deskbus-test-'));
    this.pipe = join(this.folder, 'pipe');
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      const lines = createInterface({ input: socket });
      lines.on('line', (line) => this.take(socket, JSON.parse(line)));
      lines.on('error', () => undefined);
    });
    this.server.listen(this.pipe);
    await once(this.server, 'listening');
  }

  take(socket, frame) {
    this.frames.push(frame);
    this.server.emit('frame', frame);
    const subscribes = frame.method === 'bus.subscribe' || frame.method === 'bus.continue';
    const opens = frame.method === 'session.open';
    const usual = { result: opens ? this.opened : subscribes ? { mark: this.mark } : {} };
    const answer = this.answers[frame.method]?.(frame, socket) ?? usual;
    if (frame.id !== undefined && !this.mute)
      this.write(socket, { jsonrpc: '2.0', id: frame.id, ...answer });
  }

  write(socket, frame) {
    if (socket.destroyed) return;
    socket.write(`${JSON.stringify(frame)}\n`);
  }

  /** Sends messages to the client that came last, in one piece. */
  send(...messages) {
    const lines = messages.map(({ topic, seq, epoch = EPOCH, payload = seq, ...options }) => {
      const sender = { app: 'a', client: 'c' };
      const stamps = { epoch, seq, id: `i${seq}`, correlationId: 'c', timestamp: 1 };
      return `${HEAD}${JSON.stringify({ topic, sender, ...stamps, ...options, payload })}}\n`;
    });
    this.sockets[this.sockets.length - 1].write(lines.join(''));
  }

  /** The parameters of the calls of a method, as soon as there are `count` of them. */
  async calls(method, count) {
    const found = () => this.frames.filter((frame) => frame.method === method);
    while (found().length < count) await once(this.server, 'frame');
    return found().map((frame) => frame.params);
  }

  drop() {
    this.sockets[this.sockets.length - 1].end();
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await rm(this.folder, { recursive: true });
  }
}
