/**
 * Runs in the page's own world, as text: nothing outside of it can be named in it.
 *
 * A function that crosses the contextBridge is another one each time, so nobody behind it could
 * tell which listener is to be taken off. Here it is still the page's own, and gets a number.
 *
 * An Error that crosses loses its code and its class, so failures cross as plain objects. Here they
 * become Errors of this world, whatever function of the bridge they come out of.
 */
export function install(key: string): void {
  type AnyFunction = (...given: unknown[]) => unknown;
  class DeskbusError extends Error {
    constructor(failure: { message: string }) {
      super(failure.message);
      // Enumerable, the message too: what a page logs or passes on as JSON has it all.
      for (const [name, value] of Object.entries(failure)) {
        Object.defineProperty(this, name, { value, enumerable: true });
      }
    }
  }
  const asError = (thrown: unknown): unknown => {
    const { name, message } = (thrown ?? {}) as { name?: unknown; message?: unknown };
    const isFailure = name === 'DeskbusError' && typeof message === 'string';
    return isFailure ? new DeskbusError(thrown as { message: string }) : thrown;
  };
  const rethrow = (thrown: unknown): never => {
    throw asError(thrown);
  };
  const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
  /** Functions and promises, and what holds them: messages and answers are data, and hold none. */
  const tame = (value: unknown): unknown => {
    if (typeof value === 'function') return tamed(value as AnyFunction);
    if (value instanceof Promise) return value.then(tame, rethrow);
    if (!isObject(value)) return value;
    const held: unknown[] = Object.values(value);
    if (!held.some((one) => typeof one === 'function' || one instanceof Promise)) return value;
    return Array.isArray(value) ? value.map(tame) : tameAll(value);
  };
  const tamed =
    (from: AnyFunction): AnyFunction =>
    (...given) => {
      try {
        return tame(from(...given));
      } catch (error) {
        return rethrow(error);
      }
    };
  const tameAll = (value: object): object =>
    Object.freeze(
      Object.fromEntries(
        Object.entries(value).map(([name, one]) => [
          name,
          isObject(one) && !Array.isArray(one) ? tameAll(one) : tame(one),
        ]),
      ),
    );
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
  interface Bridge {
    InterApplicationBus: RawBus;
    onRefused(listener: (refusal: unknown) => unknown): unknown;
  }
  const world = window as unknown as Record<string, object>;
  if (!world[key]) return;
  const bridge = tameAll(world[key]) as Bridge;
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
  const value = Object.freeze({
    ...bridge,
    onRefused: (listener: (refusal: unknown) => unknown) =>
      bridge.onRefused((refusal) => listener(asError(refusal))),
    InterApplicationBus: bus,
  });
  Object.defineProperty(window, 'deskbus', { value, enumerable: true });
}
