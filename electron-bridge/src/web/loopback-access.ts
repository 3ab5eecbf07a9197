/**
 * Chromium asks a person before a public page may reach this machine (fetch since 142, WebSocket
 * since 147), and lets no plain-http page do so at all. Pages that the gateway serves are exempt.
 */
const NAMES = ['loopback-network', 'local-network-access', 'local-network'];

export type LoopbackAccess = 'granted' | 'prompt' | 'denied' | 'unknown';

/** The browser's word, under the first of the permission's names that it knows. */
export async function loopbackAccess(): Promise<LoopbackAccess> {
  for (const name of NAMES) {
    try {
      const { state } = await navigator.permissions.query({ name: name as PermissionName });
      return state;
    } catch {
      // Another name, or none: each version knows its own.
    }
  }
  return 'unknown';
}

/** Why a page from elsewhere can't reach the gateway, in words; empty where nothing is against it. */
export function whyUnreachable(
  access: LoopbackAccess,
  isSecure: boolean,
  isByClick = true,
): string {
  if (!isSecure)
    return 'This page came over plain http: a browser lets none of them reach this computer.';
  if (access === 'denied') {
    return 'This browser was told not to let the site reach this computer. Allow it in the site settings.';
  }
  if (access === 'prompt' && !isByClick) {
    return 'The browser will ask whether the site may reach this computer. Connect from a click.';
  }
  return '';
}
