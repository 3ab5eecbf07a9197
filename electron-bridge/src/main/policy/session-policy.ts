import type { WebContents } from 'electron';
import type { BodyPart, Headers } from './page-headers';
import { parsed } from './origins';

/** Electron's details of a permission that a page asks for; most are not always there. */
export interface AskDetails {
  requestingUrl?: string;
  isMainFrame?: boolean;
  mediaTypes?: string[];
  mediaType?: string;
  externalURL?: string;
}

export interface LoadDetails {
  url: string;
  resourceType: string;
}

/** Decides for one session what its pages may do beyond drawing. Every fault means no. */
export interface SessionPolicy {
  /** A page asks for a permission; a person may be asked. */
  asks(contents: WebContents, permission: string, details: AskDetails): Promise<boolean>;
  /** A page looks whether it has a permission; there is no time to ask anybody. */
  has(permission: string, requestingUrl: string, details: AskDetails): boolean;
  hasDevice(deviceType: string, origin: string): boolean;
  /** A page wants to record the screen. */
  mayCapture(requestingUrl: string): Promise<boolean>;
  mayLoad(details: LoadDetails): Promise<boolean>;
  mayDownload(urls: string[]): boolean;
  /** The headers of a page that is loaded from the disk. */
  pageHeaders(): Promise<Headers>;
  /** A browser's report of what the headers refused. */
  reported(body?: BodyPart[]): void;
}

/** Links that another program opens; it is made for that. Other kinds have been ways into a machine. */
const EXTERNAL = new Set(['mailto:', 'sms:', 'tel:']);

/** Whether a link is for another program, so that it can't lead the window anywhere. */
export function isExternal(address: string): boolean {
  return EXTERNAL.has(parsed(address)?.protocol ?? '');
}

/** For pages that need nothing, and have their policy in themselves: the bridge's own. */
export function nothingBut(mayLoad: (details: LoadDetails) => Promise<boolean>): SessionPolicy {
  return {
    asks: () => Promise.resolve(false),
    has: () => false,
    hasDevice: () => false,
    mayCapture: () => Promise.resolve(false),
    mayLoad,
    mayDownload: () => false,
    pageHeaders: () => Promise.resolve({}),
    reported: () => undefined,
  };
}
