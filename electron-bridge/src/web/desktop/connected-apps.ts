import { Emitter } from '../../common/emitter';
import { asDeskbusError } from '../../common/error';
import type { AdmitResult, OpenAppWindowParams } from '../../generated/protocol';
import type { Client } from '../../node/client';
import type { Dial } from '../../node/link/dialed-link';
import { descendsFrom, AppWindow, type AppPlace } from './app-places';
import { HostedApp } from './hosted-app';
import { admitted, handshake, notAdmitted, readClaim, readHello, type Claim } from './wcp';

/** How soon it is noticed that a window was closed: no event tells it across origins. */
const LOOK_EVERY_MS = 200;

/** An app that has a window here. `instanceId` is there once its page has spoken. */
export interface ConnectedApp {
  readonly place: AppPlace;
  title: string;
  appId?: string;
  launch?: string;
  instanceId?: string;
  /** The instance that its page says it was, while the backend is asked. */
  claimed?: string;
  channel: string | null;
  /** The backend does not know it any more. */
  isLost: boolean;
}

export interface ConnectedAppsHooks {
  call: Client['call'];
  dial: Dial;
  busUrl: string;
  titleOf(appId: string): string;
  /** Shows an app in a window or a frame; undefined where the browser lets neither be. */
  place(url: string, title: string, view: 'window' | 'frame'): AppPlace | undefined;
}

/** Told of whatever is to be drawn anew. */
interface Events {
  changed: undefined;
}

/** The apps in windows and frames of the desktop page: lets their pages in, and carries for them. */
export class ConnectedApps extends Emitter<Events> {
  private readonly apps = new Map<Window, ConnectedApp>();
  private readonly hosted = new Map<string, HostedApp>();
  private looking: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly hooks: ConnectedAppsHooks) {
    super();
    window.addEventListener('message', (event) => this.hear(event));
  }

  get all(): readonly ConnectedApp[] {
    return [...this.apps.values()];
  }

  /** Opens an app; `launch` is the backend's name for it where that wants it. */
  open(
    wanted: Omit<OpenAppWindowParams, 'launch'> & { launch?: string },
  ): ConnectedApp | undefined {
    const { url, title, appId, launch, view = 'window' } = wanted;
    const place = this.hooks.place(url, title, view);
    if (!place) return undefined;
    const app = this.keep(place, title);
    app.appId = appId;
    if (launch !== undefined) app.launch = launch;
    this.emit('changed', undefined);
    return app;
  }

  close(instanceId: string): void {
    for (const app of this.apps.values()) if (app.instanceId === instanceId) app.place.close();
    this.look();
  }

  private keep(place: AppPlace, title: string): ConnectedApp {
    const app: ConnectedApp = { place, title, channel: null, isLost: false };
    this.apps.set(place.target, app);
    this.looking ??= setInterval(() => this.look(), LOOK_EVERY_MS);
    return app;
  }

  /** Tells the backend of windows that are gone. */
  private look(): void {
    for (const [target, app] of this.apps) {
      if (!app.place.isGone) continue;
      this.apps.delete(target);
      const { instanceId, launch } = app;
      if (instanceId !== undefined) {
        this.hosted.get(instanceId)?.end();
        this.hosted.delete(instanceId);
      }
      const gone = { ...(instanceId ? { instanceId } : {}), ...(launch ? { launch } : {}) };
      this.hooks.call('desktop.closed', gone).catch(() => undefined);
      this.emit('changed', undefined);
    }
    if (this.apps.size > 0) return;
    clearInterval(this.looking);
    this.looking = undefined;
  }

  private hear({ source, origin, data }: MessageEvent<unknown>): void {
    const hello = readHello(data);
    if (!hello || !isWindow(source) || !descendsFrom(source, window)) return;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event: MessageEvent<unknown>) => {
      const claim = readClaim(event.data, hello.attempt);
      // A message before it is passed over, as the standard has it.
      if (claim) void this.admit(source, origin, claim, port1, hello.attempt);
    };
    source.postMessage(handshake(hello.attempt), origin, [port2]);
  }

  private async admit(
    source: Window,
    origin: string,
    claim: Claim,
    port: MessagePort,
    attempt: string,
  ): Promise<void> {
    port.onmessage = null;
    const app = this.apps.get(source) ?? this.keep(new AppWindow(source), origin);
    try {
      const who = await this.whoIs(app, origin, claim);
      if (app.instanceId !== undefined && app.instanceId !== who.instanceId) this.replace(app);
      app.instanceId = who.instanceId;
      app.appId = who.appId;
      app.title = this.hooks.titleOf(who.appId);
      app.isLost = false;
      delete app.launch;
      const implementation = await this.host(app, who).begin(port);
      const { appId, instanceId, instanceUuid } = who;
      port.postMessage(admitted(attempt, { appId, instanceId, instanceUuid, implementation }));
    } catch (error) {
      port.postMessage(notAdmitted(attempt, asDeskbusError(error).message));
      port.close();
    }
    this.emit('changed', undefined);
  }

  /**
   * A window may have had its instance's secret copied from another's storage, so what it had before
   * counts only where that instance is in no other window.
   */
  private async whoIs(app: ConnectedApp, origin: string, claim: Claim): Promise<AdmitResult> {
    const { identityUrl, actualUrl, ...before } = claim;
    const { instanceId: earlier } = before;
    const isElsewhere = this.all.some(
      ({ instanceId, claimed, place }) =>
        place !== app.place && [instanceId, claimed].includes(earlier),
    );
    const counts = earlier !== undefined && !isElsewhere;
    if (counts) app.claimed = earlier;
    try {
      return await this.hooks.call('desktop.admit', {
        origin,
        identityUrl,
        actualUrl,
        ...(counts ? before : {}),
        ...(app.launch === undefined ? {} : { launch: app.launch }),
      });
    } finally {
      delete app.claimed;
    }
  }

  /** Another app's page is in the window now. */
  private replace(app: ConnectedApp): void {
    const { instanceId = '' } = app;
    this.hosted.get(instanceId)?.end();
    this.hosted.delete(instanceId);
    this.hooks.call('desktop.closed', { instanceId }).catch(() => undefined);
    app.channel = null;
  }

  private host(app: ConnectedApp, { app: id, instanceId }: AdmitResult): HostedApp {
    const known = this.hosted.get(instanceId);
    if (known) return known;
    const made = new HostedApp(id, {
      dial: this.hooks.dial,
      ticket: async () => {
        const { ticket } = await this.hooks.call('desktop.ticket', { instanceId });
        return { ticket, pipe: this.hooks.busUrl };
      },
      moved: (channel) => {
        app.channel = channel;
        this.emit('changed', undefined);
      },
      lost: () => {
        this.hosted.delete(instanceId);
        app.isLost = true;
        this.emit('changed', undefined);
      },
    });
    this.hosted.set(instanceId, made);
    return made;
  }
}

function isWindow(source: MessageEventSource | null): source is Window {
  return source !== null && 'closed' in source;
}
