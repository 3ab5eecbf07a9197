/**
 * Runs in the page's own world, as text: nothing outside of it can be named in it.
 *
 * A function that crosses the contextBridge is another one each time, so nobody behind it could
 * tell which listener is to be taken off. Here it is still the page's own, and gets a number.
 *
 * An Error that crosses loses its code and its class, so failures cross as plain objects. Here they
 * become Errors of this world, whatever function of the bridge they come out of.
 *
 * What JSON can't say, a function or a node of the document, is told apart here too: some of it
 * would cross as something else. And signals stay here; a number crosses for each.
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
    publish: AnyFunction;
    send: AnyFunction;
    Channel: Record<string, AnyFunction>;
    subscribe(source: unknown, topic: unknown, listener: unknown, id: number): Promise<void>;
    unsubscribe(source: unknown, topic: unknown, id: number): Promise<void>;
    on(event: unknown, listener: unknown, id: number, once: boolean): Promise<void>;
    removeListener(event: unknown, id: number): Promise<void>;
    removeAllListeners(event: unknown): Promise<void>;
  }
  interface Bridge {
    InterApplicationBus: RawBus;
    publish: AnyFunction;
    request: AnyFunction;
    send: AnyFunction;
    respond: AnyFunction;
    cancel(number: number): void;
    onRefused(listener: (refusal: unknown) => unknown): unknown;
  }
  const world = window as unknown as Record<string, object>;
  if (!world[key]) return;
  const bridge = tameAll(world[key]) as Bridge;
  const raw = bridge.InterApplicationBus;
  /** Stands for what can't cross, and is refused on the other side. */
  const unsayable = (): undefined => undefined;
  const copyOf = (payload: unknown): unknown => {
    const sayable = (_key: string, value: unknown): unknown => {
      const isNode = value instanceof Node || value instanceof Window;
      if (isNode || typeof value === 'function' || typeof value === 'symbol') throw new TypeError();
      return value;
    };
    if (payload === undefined || typeof payload === 'string') return payload;
    try {
      const text = JSON.stringify(payload, sayable);
      // Half of a surrogate pair, which a member's name would lose on its way.
      if (/(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(text)) return unsayable;
      return JSON.parse(text) as unknown;
    } catch {
      return unsayable;
    }
  };
  let calls = 0;
  /** Lets the call be cancelled by a signal among its options, which are last. */
  const cancellable = (from: AnyFunction, ...given: unknown[]): unknown => {
    const options = given.pop();
    const { signal, ...rest } = (options ?? {}) as { signal?: AbortSignal };
    if (!signal) return from(...given, options);
    const number = ++calls;
    const cancel = (): void => bridge.cancel(number);
    const release = (): void => signal.removeEventListener('abort', cancel);
    signal.addEventListener('abort', cancel);
    const called = from(...given, { ...rest, cancel: number });
    if (signal.aborted) cancel();
    Promise.resolve(called).then(release, release);
    return called;
  };
  const said = (value: unknown): unknown => {
    const error = asError(value);
    if (error instanceof DeskbusError) throw error;
    return value;
  };
  const ids = new WeakMap<object, number>();
  let last = 0;
  const idOf = (listener: unknown): number => {
    if (typeof listener !== 'function') throw new TypeError('The listener is not a function.');
    const id = ids.get(listener) ?? ++last;
    ids.set(listener, id);
    return id;
  };
  /** A handler whose answer is sent, or told to be none that can be. */
  const answering =
    (handler: AnyFunction): AnyFunction =>
    (...asked) => {
      const answer = handler(...asked) as { then?: unknown } | null | undefined;
      const later = typeof answer?.then === 'function';
      return later ? Promise.resolve(answer).then(copyOf) : copyOf(answer);
    };
  /** The parameters of a channel's functions that are sent, and those whose answers are. */
  const SENT: Record<string, number> = { dispatch: 1, publish: 1 };
  const ANSWERING: Record<string, number> = {
    register: 1,
    setDefaultAction: 0,
    beforeAction: 0,
    afterAction: 0,
    onError: 0,
    onConnection: 0,
    onDisconnection: 0,
  };
  const withArgument = (from: AnyFunction, at: number, change: (value: unknown) => unknown) => {
    return (...given: unknown[]): unknown =>
      from(...given.map((value, index) => (index === at ? change(value) : value)));
  };
  const answeringIfAble = (value: unknown): unknown =>
    typeof value === 'function' ? answering(value as AnyFunction) : value;
  /** `to` is how many parameters name the other end. */
  const channelEnd = (end: Record<string, unknown>, to: number): object => {
    const wrapped = Object.entries(end).map(([name, one]) => {
      const from = one as AnyFunction;
      const sent = SENT[name];
      const answered = ANSWERING[name];
      if (sent !== undefined) {
        return [name, withArgument(from, name === 'dispatch' ? sent + to : sent, copyOf)] as const;
      }
      if (answered !== undefined) {
        return [name, withArgument(from, answered, answeringIfAble)] as const;
      }
      return [name, one] as const;
    });
    return Object.freeze(Object.fromEntries(wrapped));
  };
  const { create, connect } = raw.Channel as Record<'create' | 'connect', AnyFunction>;
  const channel = Object.freeze({
    ...raw.Channel,
    create: async (name: unknown) => channelEnd((await create(name)) as Record<string, unknown>, 1),
    connect: async (name: unknown, options?: object) => {
      const asked = options && 'payload' in options;
      const { payload } = (options ?? {}) as { payload?: unknown };
      const sent = asked ? { ...options, payload: copyOf(payload) } : options;
      return channelEnd((await connect(name, sent)) as Record<string, unknown>, 0);
    },
  });
  const bus = Object.freeze({
    publish: (topic: unknown, message: unknown) => raw.publish(topic, copyOf(message)),
    send: (to: unknown, topic: unknown, message: unknown) => raw.send(to, topic, copyOf(message)),
    Channel: channel,
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
    cancel: undefined,
    publish: (topic: unknown, payload: unknown, options?: unknown) =>
      said(cancellable(bridge.publish, topic, copyOf(payload), options)),
    request: (topic: unknown, payload: unknown, options?: unknown) =>
      cancellable(bridge.request, topic, copyOf(payload), options),
    send: (app: unknown, topic: unknown, payload: unknown, options?: unknown) =>
      cancellable(bridge.send, app, topic, copyOf(payload), options),
    respond: (pattern: unknown, handler: AnyFunction) =>
      bridge.respond(pattern, answering(handler)),
    onRefused: (listener: (refusal: unknown) => unknown) =>
      bridge.onRefused((refusal) => listener(asError(refusal))),
    InterApplicationBus: bus,
  });
  Object.defineProperty(window, 'deskbus', { value, enumerable: true });
}
