import type { WebContents } from 'electron';
import type { WindowDescriptor } from '../../generated/protocol';
import type { Backend } from '../backend/backend';
import type { Grants } from './grants';
import { networkOrigin, parsed } from './origins';
import { OwnFolder } from './own-folder';
import { PageHeaders, type BodyPart, type Headers } from './page-headers';
import { NetworkAccess } from './network-access';
import {
  isExternal,
  type AskDetails,
  type LoadDetails,
  type SessionPolicy,
} from './session-policy';

/** The scope of a permission that has only one. */
const ALL = 'all';
const NETWORK = 'network';
const MEDIA: Record<string, string> = { audio: 'media.microphone', video: 'media.camera' };

/** The policy of one app's windows: the backend's word, and leave to load their own files. */
export class AppPolicy implements SessionPolicy {
  private readonly folders: OwnFolder[] = [];
  private readonly origins = new Set<string>();
  private readonly clients = new WeakMap<WebContents, string>();
  private readonly headers: PageHeaders;
  private networkAccess: NetworkAccess | undefined;

  constructor(
    private readonly app: string,
    private readonly backend: Backend,
    private readonly grants: Grants,
  ) {
    this.headers = new PageHeaders(app, backend);
    grants.on('changed', (changed) => {
      if (changed === app) void this.limitNetworkAccess().catch(() => undefined);
    });
  }

  /** Counts a window's page, and what lies beside it, as the app's own. */
  own({ url, root, client }: WindowDescriptor, contents: WebContents): void {
    this.clients.set(contents, client);
    const folder = root === undefined ? OwnFolder.of(url) : OwnFolder.of(`${root}/-`);
    if (folder) this.folders.push(folder);
    const origin = networkOrigin(url);
    if (origin !== undefined) {
      // A site's own WebSocket tells nobody else.
      this.origins.add(origin).add(origin.replace(/^http/, 'ws'));
    }
    this.networkAccess ??= new NetworkAccess(contents.session);
    // Questions that can't wait find it known.
    void this.grants.load(this.app);
    void this.grants.loadCatalogue();
  }

  async asks(contents: WebContents, permission: string, details: AskDetails): Promise<boolean> {
    const client = this.clients.get(contents);
    const { requestingUrl = '' } = details;
    if (client === undefined || !(await this.isOwn(requestingUrl))) return false;
    if (permission === 'openExternal' && !isExternal(details.externalURL ?? '')) return false;
    const wanted = await this.wanted(permission, details);
    if (wanted.length === 0) {
      await this.request(client, refusedName(permission), requestingUrl);
      return false;
    }
    for (const name of wanted) if (!(await this.request(client, name, requestingUrl))) return false;
    return true;
  }

  has(permission: string, requestingUrl: string, details: AskDetails): boolean {
    if (!this.mayBeOwn(requestingUrl)) return false;
    const wanted = narrowed(permission, this.grants.named(permission), details);
    return wanted.length > 0 && wanted.every((name) => this.grants.allows(this.app, name, ALL));
  }

  hasDevice(deviceType: string, origin: string): boolean {
    return this.has(deviceType, origin, {});
  }

  async mayCapture(requestingUrl: string): Promise<boolean> {
    if (!(await this.isOwn(requestingUrl))) return false;
    await this.grants.load(this.app);
    return this.grants.allows(this.app, 'display.capture', ALL);
  }

  async mayLoad({ url, resourceType }: LoadDetails): Promise<boolean> {
    const { protocol } = parsed(url) ?? { protocol: '' };
    if (resourceType === 'mainFrame') await this.limitNetworkAccess();
    // They hold what the page has already.
    if (protocol === 'data:' || protocol === 'blob:') return resourceType !== 'mainFrame';
    if (protocol === 'file:') return this.inOwnFolder(url);
    const origin = networkOrigin(url);
    if (origin === undefined) return false;
    if (this.origins.has(origin)) return true;
    await this.grants.load(this.app);
    const may = this.grants.allows(this.app, NETWORK, origin);
    if (may) await this.limitNetworkAccess();
    return may;
  }

  mayDownload(urls: string[]): boolean {
    return (
      urls.length > 0 &&
      urls.every((url) => {
        const origin = networkOrigin(url);
        if (origin === undefined) return false;
        return this.origins.has(origin) || this.grants.allows(this.app, NETWORK, origin);
      })
    );
  }

  pageHeaders(): Promise<Headers> {
    return this.headers.forPage();
  }

  reported(body?: BodyPart[]): void {
    this.headers.report(body);
  }

  private async limitNetworkAccess(): Promise<void> {
    await this.grants.load(this.app);
    await this.networkAccess?.set(
      this.origins.size > 0 || this.grants.allowsAny(this.app, NETWORK),
    );
  }

  private async wanted(permission: string, details: AskDetails): Promise<string[]> {
    return narrowed(permission, await this.grants.permissionsOf(permission), details);
  }

  private async request(client: string, permission: string, url: string): Promise<boolean> {
    const origin = networkOrigin(url);
    try {
      const { state } = await this.backend.call('permissions.requestFor', {
        app: this.app,
        client,
        permission,
        scope: ALL,
        ...(origin === undefined ? {} : { origin }),
      });
      return state === 'granted';
    } catch {
      return false;
    }
  }

  /** Whether the page that asks is the app's own, and not one that it has in a frame. */
  private async isOwn(url: string): Promise<boolean> {
    const origin = networkOrigin(url);
    return origin === undefined ? this.inOwnFolder(url) : this.origins.has(origin);
  }

  /** The same, without looking at the disk: every file is of one origin to Chromium. */
  private mayBeOwn(url: string): boolean {
    const origin = networkOrigin(url);
    if (origin !== undefined) return this.origins.has(origin);
    return this.folders.length > 0 && parsed(url)?.protocol === 'file:';
  }

  private async inOwnFolder(url: string): Promise<boolean> {
    for (const folder of this.folders) if (await folder.has(url)) return true;
    return false;
  }
}

/** `media` stands for camera, microphone and, with neither told, the screen. */
function narrowed(permission: string, names: string[], details: AskDetails): string[] {
  if (permission !== 'media') return names;
  const types = details.mediaTypes ?? (details.mediaType === undefined ? [] : [details.mediaType]);
  const wanted = types.map((type) => MEDIA[type]);
  const known = wanted.filter((name): name is string => name !== undefined);
  if (known.length === 0 || known.length < wanted.length) return ['display.capture', ...known];
  return known;
}

/** Electron's name in the audit log, which records that the page asked for what nobody offers. */
function refusedName(permission: string): string {
  return `electron.${permission.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
