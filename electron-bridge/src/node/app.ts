import { dial } from './link/dial';
import { Socket } from 'net';
import { LAST_WORDS_MS, LIFE_FD_VARIABLE, MAX_TROUBLE_CHARACTERS } from '../generated/constants';
import type { BeginResult } from '../generated/protocol';
import { handedCredentials } from './link/handed-credentials';
import { Client } from './client';
import { sayable } from '../common/json';
import type { Message } from '../common/bus/message';
import type { Mode } from '../common/bus/subscriptions';

export interface RunOptions {
  /**
   * Listeners by pattern. What waited for an earlier run of the app comes first, once the app has
   * said that it is ready.
   */
  read?: Record<string, (message: Message, app: App) => unknown>;
  /** Of these subscriptions; `live` unless told. */
  mode?: Mode;
  /** Tidies up when the app is asked to end; the process ends when its promise is fulfilled. */
  onStop?: (app: App) => unknown;
}

/**
 * Connects this process as the app that the backend started it for. It gives signs of life, and
 * ends by itself when it is asked to, or when the backend is gone. Rejects with `DeskbusError`.
 */
export async function runAsApp(options: RunOptions = {}): Promise<App> {
  watchBackend();
  const { pipe, app: id, ticket } = await handedCredentials();
  const client = new Client({
    dial,
    app: id,
    renewable: false,
    takeUp: true,
    whileClosed: 'queue',
    ticketProvider: () => Promise.resolve({ ticket, pipe }),
  });
  const mode = options.mode ?? 'live';
  let begin: (app: App) => void = () => undefined;
  const begun = new Promise<App>((resolve) => (begin = resolve));
  const subscribed = Object.entries(options.read ?? {}).map(([pattern, listener]) => {
    let ready: App | undefined;
    void begun.then((app) => (ready = app));
    return client.subscribe(
      pattern,
      (message) => (ready ? listener(message, ready) : begun.then((app) => listener(message, app))),
      { mode },
    );
  });
  // Without a connection each of these fails too; the first error alone is told.
  const standing = Promise.all(subscribed);
  standing.catch(() => undefined);
  const app = new App(client, await introduce(client), begin, options.onStop);
  await standing;
  return app;
}

/** Opens the session as this run of the app; nothing is left of one that is refused. */
async function introduce(client: Client): Promise<BeginResult> {
  try {
    await client.open();
    return await client.call('apps.begin', {});
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** This run of the app. */
export class App {
  /** The state that it saved last, if any, and its version. */
  readonly state: unknown;
  readonly version: number;
  /** How often it came back by itself since a person launched it. */
  readonly restarts: number;
  private readonly timer: NodeJS.Timeout;
  private troubled: string | undefined;
  private ending: Promise<void> | undefined;

  constructor(
    readonly client: Client,
    begun: BeginResult,
    private readonly begin: (app: App) => void,
    private readonly onStop?: (app: App) => unknown,
  ) {
    this.publish = client.publish.bind(client);
    this.subscribe = client.subscribe.bind(client);
    this.request = client.request.bind(client);
    this.respond = client.respond.bind(client);
    this.send = client.send.bind(client);
    this.state = begun.saved?.state;
    this.version = begun.saved?.version ?? 0;
    this.restarts = begun.restarts;
    this.timer = setInterval(() => this.beat(), begun.heartbeat);
    client.on('stop', () => void this.stop());
    client.on('state', (state) => {
      if (state === 'closed') void this.stop();
    });
    process.on('SIGTERM', () => void this.stop());
  }

  /** The same as of `client`, which has everything else. */
  readonly publish: Client['publish'];
  readonly subscribe: Client['subscribe'];
  readonly request: Client['request'];
  readonly respond: Client['respond'];
  readonly send: Client['send'];

  /** Tells that the app does what it is for. */
  async ready(): Promise<void> {
    await this.client.call('apps.ready', {});
    this.begin(this);
  }

  /**
   * Keeps `state` for the next start, at most 1 MiB; resolves with false where it lasts only as
   * long as the backend.
   */
  async save(state: unknown, version = 1): Promise<boolean> {
    return (await this.client.call('apps.saveState', { state: state ?? null, version })).kept;
  }

  /**
   * Says what the app can't do at the moment, for a person; undefined when it can again. Of more
   * than 200 characters the first are told.
   */
  trouble(words: string | Error | undefined): void {
    // Else each sign of life that follows would be refused, and the app ended as one that hangs.
    this.troubled =
      words === undefined ? undefined : sayable(wordsOf(words), MAX_TROUBLE_CHARACTERS);
    this.beat();
  }

  /** Ends the process, in order. */
  stop(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private beat(): void {
    if (this.client.state !== 'open') return;
    this.client.notify(
      'apps.heartbeat',
      this.troubled === undefined ? {} : { trouble: this.troubled },
    );
  }

  private async end(): Promise<void> {
    clearInterval(this.timer);
    let code = 0;
    try {
      await this.onStop?.(this);
      await this.client.close();
    } catch (error) {
      process.stderr.write(`${String(error)}\n`);
      code = 1;
    }
    process.exit(code);
  }
}

function wordsOf(trouble: string | Error): string {
  return trouble instanceof Error ? trouble.message : trouble;
}

/** A descriptor that comes to its end with the backend: it ends this process soon after. */
function watchBackend(): void {
  const descriptor = Number(process.env[LIFE_FD_VARIABLE] ?? NaN);
  if (!Number.isInteger(descriptor)) return;
  Reflect.deleteProperty(process.env, LIFE_FD_VARIABLE);
  const life = new Socket({ fd: descriptor, readable: true, writable: false });
  life.on('error', () => undefined);
  life.on('close', () => setTimeout(() => process.exit(1), LAST_WORDS_MS).unref());
  life.resume();
  // It must not keep a program alive that has nothing else to do.
  life.unref();
}
