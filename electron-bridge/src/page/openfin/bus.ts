import type { SubscriberParams } from '../../generated/protocol';
import { throwLater } from '../../common/uncaught';
import type { Message, Stop } from '../api';
import { failure } from '../failure';
import type { PageBus } from '../bus';
import { isChannelTopic } from './channel-topics';
import type { Subscribers } from './events';
import { EVERYBODY, identityOf, readIdentity, sourceOf, type Identity } from './identity';

type Listener = (message: unknown, identity: Required<Identity>, topic: string) => unknown;
type EventListener = (event: Required<Identity> & { topic: string }) => unknown;

const EVENTS = { 'subscriber-added': 'added', 'subscriber-removed': 'removed' } as const;
type EventName = keyof typeof EVENTS;

interface Registered {
  once: boolean;
  listener: EventListener;
}

/** OpenFin's InterApplicationBus over this one. */
export class InterApplicationBus {
  private readonly subscriptions = new Map<string, Promise<Stop>>();
  private readonly ids = new WeakMap<Listener, number>();
  private lastId = 0;
  private readonly listeners: Record<EventName, Registered[]> = {
    'subscriber-added': [],
    'subscriber-removed': [],
  };

  constructor(
    private readonly bus: PageBus,
    private readonly subscribers: Subscribers,
  ) {
    for (const name of Object.keys(EVENTS) as EventName[]) {
      subscribers.on(EVENTS[name], (subscriber) => this.tell(name, subscriber));
    }
  }

  async publish(topic: string, message: unknown): Promise<void> {
    await this.bus.publish(topic, message, { confirm: true });
  }

  /** Rejects with a failure: no_subscriber where nobody listens. */
  async send(destination: unknown, topic: string, message: unknown): Promise<void> {
    const { uuid, name } = readIdentity(destination);
    await this.bus.send(uuid, topic, message, name === undefined ? {} : { client: name });
  }

  /** Resolves when the subscription stands. The same listener twice is one subscription. */
  async subscribe(source: unknown, topic: string, listener: Listener): Promise<void> {
    const from = readIdentity(source);
    const key = this.keyOf(from, topic, listener);
    let subscription = this.subscriptions.get(key);
    if (!subscription) {
      const take = ({ payload, sender, topic: name }: Message): void => {
        listener(payload, identityOf(sender), name);
      };
      const options = from.uuid === EVERYBODY ? {} : { sources: [sourceOf(from)] };
      subscription = this.bus.subscribe(topic, take, options);
      this.subscriptions.set(key, subscription);
    }
    try {
      await subscription;
    } catch (error) {
      if (this.subscriptions.get(key) === subscription) this.subscriptions.delete(key);
      throw error;
    }
  }

  /** Where there is no such subscription there is nothing to do. */
  async unsubscribe(source: unknown, topic: string, listener: Listener): Promise<void> {
    const key = this.keyOf(readIdentity(source), topic, listener);
    const subscription = this.subscriptions.get(key);
    this.subscriptions.delete(key);
    const stop = await subscription;
    await stop?.();
  }

  /** Resolves when events come. */
  async on(event: unknown, listener: EventListener, once = false): Promise<void> {
    const listeners = this.listeners[readEvent(event)];
    listeners.push({ once, listener: needFunction(listener) });
    await this.subscribers.start();
  }

  /** Rejects with a failure (invalid_params) for another event; so does the next one. */
  async removeListener(event: unknown, listener: EventListener): Promise<void> {
    const listeners = this.listeners[readEvent(event)];
    const at = listeners.findIndex((one) => one.listener === listener);
    if (at >= 0) listeners.splice(at, 1);
    return Promise.resolve();
  }

  async removeAllListeners(event?: unknown): Promise<void> {
    const names = event === undefined ? (Object.keys(EVENTS) as EventName[]) : [readEvent(event)];
    for (const name of names) this.listeners[name] = [];
    return Promise.resolve();
  }

  private keyOf({ uuid, name }: Identity, topic: string, listener: Listener): string {
    const id = this.ids.get(needFunction(listener)) ?? ++this.lastId;
    this.ids.set(listener, id);
    return JSON.stringify([uuid, name ?? null, topic, id]);
  }

  private tell(name: EventName, { pattern, app, client }: SubscriberParams): void {
    if (isChannelTopic(pattern)) return;
    const listeners = this.listeners[name];
    this.listeners[name] = listeners.filter(({ once }) => !once);
    for (const { listener } of listeners) {
      try {
        listener({ topic: pattern, ...identityOf({ app, client }) });
      } catch (error) {
        throwLater(error);
      }
    }
  }
}

function needFunction<Function>(listener: Function): Function {
  if (typeof listener === 'function') return listener;
  throw new TypeError('The listener is not a function.');
}

function readEvent(value: unknown): EventName {
  if (value === 'subscriber-added' || value === 'subscriber-removed') return value;
  throw failure('invalid_params', 'The events are subscriber-added and subscriber-removed.');
}
