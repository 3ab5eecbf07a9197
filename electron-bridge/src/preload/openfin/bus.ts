import type { SubscriberParams } from '../../generated/protocol';
import { throwLater } from '../../common/uncaught';
import type { Message, Stop } from '../api';
import { failure } from '../failure';
import type { PageBus } from '../page-bus';
import { isChannelTopic } from './channel-topics';
import type { Subscribers } from './events';
import { EVERYBODY, identityOf, readIdentity, sourceOf, type Identity } from './identity';

type Listener = (message: unknown, identity: Identity, topic: string) => unknown;
type EventListener = (event: Required<Identity> & { topic: string }) => unknown;

const EVENTS = { 'subscriber-added': 'added', 'subscriber-removed': 'removed' } as const;
type EventName = keyof typeof EVENTS;

interface Registered {
  id: number;
  once: boolean;
  listener: EventListener;
}

/** OpenFin's InterApplicationBus over this one. Listeners are told apart by their numbers. */
export class InterApplicationBus {
  private readonly subscriptions = new Map<string, Promise<Stop>>();
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
  async subscribe(source: unknown, topic: string, listener: Listener, id: number): Promise<void> {
    const from = readIdentity(source);
    const key = keyOf(from, topic, id);
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
  async unsubscribe(source: unknown, topic: string, id: number): Promise<void> {
    const key = keyOf(readIdentity(source), topic, id);
    const subscription = this.subscriptions.get(key);
    this.subscriptions.delete(key);
    const stop = await subscription;
    await stop?.();
  }

  /** Resolves when events come. */
  async on(event: unknown, listener: EventListener, id: number, once: boolean): Promise<void> {
    const listeners = this.listeners[readEvent(event)];
    listeners.push({ id, once, listener });
    await this.subscribers.start();
  }

  /** Rejects with a failure (invalid_params) for another event; so does the next one. */
  async removeListener(event: unknown, id: number): Promise<void> {
    const listeners = this.listeners[readEvent(event)];
    const at = listeners.findIndex((one) => one.id === id);
    if (at >= 0) listeners.splice(at, 1);
    return Promise.resolve();
  }

  async removeAllListeners(event?: unknown): Promise<void> {
    const names = event === undefined ? (Object.keys(EVENTS) as EventName[]) : [readEvent(event)];
    for (const name of names) this.listeners[name] = [];
    return Promise.resolve();
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

function keyOf({ uuid, name }: Identity, topic: string, id: number): string {
  return JSON.stringify([uuid, name ?? null, topic, id]);
}

function readEvent(value: unknown): EventName {
  if (value === 'subscriber-added' || value === 'subscriber-removed') return value;
  throw failure('invalid_params', 'The events are subscriber-added and subscriber-removed.');
}
