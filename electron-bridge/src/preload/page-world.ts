/**
 * Runs in the page's own world, as text: nothing outside of it can be named in it.
 *
 * A function that crosses the contextBridge is another one each time, so nobody behind it could
 * tell which listener is to be taken off. Here it is still the page's own, and gets a number.
 */
export function install(key: string): void {
  interface RawBus {
    publish: unknown;
    send: unknown;
    Channel: object;
    subscribe(source: unknown, topic: unknown, listener: unknown, id: number): Promise<void>;
    unsubscribe(source: unknown, topic: unknown, id: number): Promise<void>;
    on(event: unknown, listener: unknown, id: number, once: boolean): Promise<void>;
    removeListener(event: unknown, id: number): Promise<void>;
    removeAllListeners(event: unknown): Promise<void>;
  }
  const world = window as unknown as Record<string, { InterApplicationBus: RawBus }>;
  const bridge = world[key];
  if (!bridge) return;
  const raw = bridge.InterApplicationBus;
  const ids = new WeakMap<object, number>();
  let last = 0;
  const idOf = (listener: unknown): number => {
    if (typeof listener !== 'function') throw new TypeError('The listener is not a function.');
    const id = ids.get(listener) ?? ++last;
    ids.set(listener, id);
    return id;
  };
  const bus = Object.freeze({
    publish: raw.publish,
    send: raw.send,
    Channel: raw.Channel,
    async subscribe(source: unknown, topic: unknown, listener: unknown) {
      await raw.subscribe(source, topic, listener, idOf(listener));
    },
    async unsubscribe(source: unknown, topic: unknown, listener: unknown) {
      await raw.unsubscribe(source, topic, idOf(listener));
    },
    async on(event: unknown, listener: unknown) {
      await raw.on(event, listener, idOf(listener), false);
      return bus;
    },
    async once(event: unknown, listener: unknown) {
      await raw.on(event, listener, idOf(listener), true);
      return bus;
    },
    async removeListener(event: unknown, listener: unknown) {
      await raw.removeListener(event, idOf(listener));
      return bus;
    },
    async removeAllListeners(event?: unknown) {
      await raw.removeAllListeners(event);
      return bus;
    },
  });
  const value = Object.freeze({ ...bridge, InterApplicationBus: bus });
  Object.defineProperty(window, 'deskbus', { value, enumerable: true });
}
