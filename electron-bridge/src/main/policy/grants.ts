import type { GrantsResult, PermissionEntry } from '../../generated/protocol';
import { monotonicMs } from '../../node/link/clock';
import { Emitter } from '../../common/emitter';
import type { Backend } from '../backend/backend';
import { coversOrigin } from './origins';

interface GrantsEvents {
  /** The app's permissions have changed. */
  changed: string;
}

/** `now` was the backend's time when it was heard, at `heardAt` of a clock that never steps. */
type Known = GrantsResult & { readonly heardAt: number };

/**
 * The apps' permissions, kept for the places that can't wait for the backend's answer.
 *
 * A permission that is not known is not granted: before the first answer, while the backend is away, and from
 * the news of a change until its answer is here.
 */
export class Grants extends Emitter<GrantsEvents> {
  private readonly known = new Map<string, Known>();
  private readonly asked = new Map<string, Promise<void>>();
  /** The last change of each app's that was told. */
  private readonly epochs = new Map<string, number>();
  /** The permissions of Electron's own, by Electron's name for them. */
  private names = new Map<string, string[]>();
  private catalogue: Promise<void> | undefined;

  constructor(private readonly backend: Backend) {
    super();
    backend.onNotice('permissions.changed', (params) => {
      const { app, epoch } = params as { app?: unknown; epoch?: unknown };
      if (typeof app === 'string' && typeof epoch === 'number') this.heard(app, epoch);
    });
    backend.on('down', () => this.forgetAll());
  }

  /** Whether an app may do it, as far as is known here. */
  allows(app: string, permission: string, scope: string): boolean {
    const grants = this.known.get(app);
    if (!grants) return false;
    if (grants.trusted) return true;
    const now = grants.now + monotonicMs() - grants.heardAt;
    const rule = grants.rules.find(
      (known) =>
        known.permission === permission &&
        (known.until === undefined || known.until > now) &&
        (known.scope === undefined || coversOrigin(known.scope, scope)),
    );
    return rule?.allow === true;
  }

  /** Whether an app may do it in any scope at all. */
  allowsAny(app: string, permission: string): boolean {
    const grants = this.known.get(app);
    return (
      grants?.trusted === true ||
      grants?.rules.some((known) => known.permission === permission && known.allow) === true
    );
  }

  /** Resolves once what the app may do is known here, or can't be. */
  async load(app: string): Promise<void> {
    if (this.known.has(app)) return;
    const asked = this.asked.get(app) ?? this.ask(app);
    this.asked.set(app, asked);
    await asked;
  }

  /** The permissions that stand behind Electron's `name`; none for one that nobody offers. */
  async permissionsOf(name: string): Promise<string[]> {
    await this.loadCatalogue();
    return this.named(name);
  }

  /** The same, as far as is known here. */
  named(name: string): string[] {
    return this.names.get(name) ?? [];
  }

  async loadCatalogue(): Promise<void> {
    this.catalogue ??= this.backend
      .call('permissions.catalogue', {})
      .then(({ permissions }) => {
        this.names = byElectronName(permissions);
      })
      .catch(() => {
        this.catalogue = undefined;
      });
    await this.catalogue;
  }

  private async ask(app: string): Promise<void> {
    try {
      const grants = await this.backend.call('permissions.grantsOf', { app });
      const isOld = grants.epoch < (this.epochs.get(app) ?? 0);
      if (!isOld) this.known.set(app, { ...grants, heardAt: monotonicMs() });
    } catch {
      this.known.delete(app);
    } finally {
      this.asked.delete(app);
    }
  }

  private heard(app: string, epoch: number): void {
    this.epochs.set(app, epoch);
    const known = this.known.get(app);
    if (known && known.epoch >= epoch) return;
    const wanted = known !== undefined || this.asked.has(app);
    this.known.delete(app);
    // An answer that is on its way may be of before the change.
    const earlier = this.asked.get(app) ?? Promise.resolve();
    if (!wanted) {
      this.emit('changed', app);
      return;
    }
    const asked = earlier.then(() => {
      this.known.delete(app);
      return this.ask(app);
    });
    this.asked.set(app, asked);
    void asked.then(() => this.emit('changed', app));
  }

  private forgetAll(): void {
    const apps = [...this.known.keys()];
    this.known.clear();
    this.epochs.clear();
    this.catalogue = undefined;
    for (const app of apps) this.emit('changed', app);
  }
}

function byElectronName(permissions: PermissionEntry[]): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { name, scope, enforcedBy, points } of permissions) {
    // Electron's own permissions are for everything or nothing.
    if (enforcedBy !== 'shell' || scope !== 'fixed') continue;
    for (const point of points ?? []) names.set(point, [...(names.get(point) ?? []), name]);
  }
  return names;
}
