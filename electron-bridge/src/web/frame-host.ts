import { asDeskbusError, asFailure, DeskbusError } from '../common/error';
import { matches } from '../common/bus/topics';
import type { FrameDescriptor } from '../generated/protocol';
import { MESSAGE_HEAD } from '../generated/constants';
import { readPageLine, type PageLine, type Told } from '../ipc/page-lines';
import type { DeskbusApi, Message, Stop } from '../page/api';
import { HELLO, WELCOME } from './host-pipe';

export interface FrameOptions {
  /** Patterns that the frame may subscribe to, and topics that fit what it may publish and ask. */
  reads?: readonly string[];
  writes?: readonly string[];
}

/**
 * Makes an iframe what its descriptor says, and lets its page speak through this one's bus, within
 * `reads` and `writes`. Returns a function that ends that.
 *
 * A sandboxed page has the origin `null`, which others have too: so it is known by its window, and
 * what it says comes over a channel of its own. Throws invalid_params for a descriptor that no
 * backend makes.
 */
export function hostFrame(
  iframe: HTMLIFrameElement,
  descriptor: FrameDescriptor,
  bus: DeskbusApi,
  options: FrameOptions = {},
): () => void {
  const sandbox: readonly string[] = descriptor.sandbox;
  if (sandbox.includes('allow-same-origin')) throw DeskbusError.of('invalid_params');
  iframe.setAttribute('sandbox', sandbox.join(' '));
  iframe.setAttribute('allow', descriptor.allow);
  iframe.title = descriptor.title;
  let guest: FrameGuest | undefined;
  const hear = ({ source, origin, data }: MessageEvent): void => {
    if (source === null || source !== iframe.contentWindow) return;
    if (origin !== 'null' || data !== HELLO) return;
    guest?.end();
    const { port1, port2 } = new MessageChannel();
    guest = new FrameGuest(port1, bus, options);
    // No target but any can be named for the origin `null`; it is this frame's own window.
    iframe.contentWindow.postMessage(WELCOME, '*', [port2]);
  };
  window.addEventListener('message', hear);
  iframe.src = descriptor.url;
  return () => {
    window.removeEventListener('message', hear);
    guest?.end();
  };
}

/** The page in a frame, as its host serves it. */
class FrameGuest {
  private readonly stops = new Map<string, Promise<Stop>>();

  constructor(
    private readonly port: MessagePort,
    private readonly bus: DeskbusApi,
    private readonly options: FrameOptions,
  ) {
    port.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === 'string') this.take(data);
    };
    this.tell('state', bus.state());
  }

  end(): void {
    this.port.close();
    for (const stop of this.stops.values()) stop.then((end) => end()).catch(() => undefined);
    this.stops.clear();
  }

  private take(text: string): void {
    for (const line of text.split('\n')) {
      const read = readPageLine(line);
      if (read) void this.answer(read);
    }
    this.tell('room', text.length);
  }

  private async answer(line: PageLine): Promise<void> {
    let reply: object;
    try {
      reply = { result: (await this.perform(line)) ?? {} };
    } catch (error) {
      reply = { error: asFailure(asDeskbusError(error)) };
    }
    if (line.number > 0) this.port.postMessage(`${line.number} ${JSON.stringify(reply)}`);
    else if ('error' in reply) this.tell('refused', { method: 'bus.publish', count: 1, ...reply });
  }

  private perform({ word, json }: PageLine): unknown {
    const given = JSON.parse(json) as Record<string, unknown>;
    const { pattern, topic, payload, ...rest } = given;
    switch (word) {
      case 'subscribe':
        return this.subscribe(this.permitted(pattern, this.options.reads));
      case 'unsubscribe':
        return this.unsubscribe(String(pattern));
      case 'publish':
        return this.bus.publish(this.permitted(topic, this.options.writes), payload, rest);
      case 'request':
        return this.bus.request(this.permitted(topic, this.options.writes), payload, rest);
      case 'cancel':
      case 'acknowledge':
        return undefined;
      default:
        throw DeskbusError.of('permission_denied', 'A frame may not do this.');
    }
  }

  /** A topic or pattern that is on the list, or fits a pattern there. */
  private permitted(wanted: unknown, patterns: readonly string[] = []): string {
    const known =
      typeof wanted === 'string' &&
      patterns.some((each) => each === wanted || (!/[*#]/.test(wanted) && matches(each, wanted)));
    if (!known) throw DeskbusError.of('permission_denied', 'The host does not allow this topic.');
    return wanted;
  }

  private async subscribe(pattern: string): Promise<void> {
    if (this.stops.has(pattern)) return;
    const stop = this.bus.subscribe(pattern, (message) => this.deliver(message));
    this.stops.set(pattern, stop);
    stop.catch(() => this.stops.delete(pattern));
    await stop;
  }

  private async unsubscribe(pattern: string): Promise<void> {
    const stop = this.stops.get(pattern);
    this.stops.delete(pattern);
    await (
      await stop
    )?.();
  }

  private deliver(message: Message): void {
    this.port.postMessage(`${MESSAGE_HEAD}${JSON.stringify(message)}}`);
  }

  private tell(event: keyof Told, value: unknown): void {
    this.port.postMessage(`${event} ${JSON.stringify(value)}`);
  }
}
