const NETWORK = new Set(['http:', 'https:', 'ws:', 'wss:']);

/**
 * The origin of an address on the network, such as `wss://example.com:8443`; none for others.
 *
 * Without the dots that may end a host: `example.com.` is `example.com`, also to a denial.
 */
export function networkOrigin(address: string): string | undefined {
  const url = parsed(address);
  return url && NETWORK.has(url.protocol) ? `${url.protocol}//${withoutDots(url)}` : undefined;
}

/** Whether a scope is, or has in it, what is asked for: itself, `*`, or `https://*.example.com`. */
export function coversOrigin(scope: string, wanted: string): boolean {
  if (scope === wanted || scope === '*') return true;
  const [scheme, rest] = scope.split('://*.', 2);
  const [wantedScheme, host] = wanted.split('://', 2);
  if (rest === undefined || host === undefined) return false;
  return scheme === wantedScheme && host.endsWith(`.${rest}`);
}

function withoutDots({ hostname, port }: URL): string {
  const host = hostname.replace(/\.+$/, '');
  return port === '' ? host : `${host}:${port}`;
}

export function parsed(address: string): URL | undefined {
  try {
    return new URL(address);
  } catch {
    return undefined;
  }
}
