import { PageBus } from './bus';
import type { Pipe } from './link';
import { apiOf } from './api-facade';

export interface Bridge extends Pipe {
  app: string;
  client: string;
  /** The version of FDC3 that the page has, empty where it has none. */
  fdc3?: string;
}

export function bridgeOfPage(): Bridge | undefined {
  return (window as { deskbusBridge?: Bridge }).deskbusBridge;
}

/** Gives the page `window.deskbus`, made out of the bridge, which carries text and nothing else. */
export function defineWindowDeskbus(): PageBus | undefined {
  const bridge = bridgeOfPage();
  if (!bridge) return undefined;
  const bus = new PageBus(bridge.app, bridge.client, bridge);
  Object.defineProperty(window, 'deskbus', { value: apiOf(bus), enumerable: true });
  return bus;
}
