import type { DialedLink } from './dialed-link';
import type { LinkHooks } from './link';
import { SocketPool } from './socket-pool';
import { WebSocketClient } from './web-socket';

/** A process has one for each site. */
const pools = new Map<string, SocketPool>();

/** As `Dial`, to an app's site behind the gateway: the clients of one site share a WebSocket. */
export function dialSite(site: string, hooks: LinkHooks, onHeard: () => void): DialedLink {
  let pool = pools.get(site);
  if (!pool) {
    // A socket without clients would keep the process from its end.
    pool = new SocketPool(site, (address) => new WebSocketClient(address), 0);
    pools.set(site, pool);
  }
  return pool.dial(hooks, onHeard);
}
