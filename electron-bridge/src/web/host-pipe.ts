import type { Pipe } from '../page/link';

/** Words of a frame and its host, before they have a channel of their own. */
export const HELLO = 'deskbus:hello';
export const WELCOME = 'deskbus:welcome';

/**
 * The lines of a page in a frame, to its host's page. `hosts` are the origins that may be one: the
 * greeting reaches no other, and no other's answer counts.
 */
export function hostPipe(hosts: readonly string[]): Pipe {
  let port: MessagePort | undefined;
  let listener: (text: string) => void = () => undefined;
  let unsent: string[] = [];
  const hear = ({ source, origin, data, ports }: MessageEvent): void => {
    if (source !== window.parent || !hosts.includes(origin) || data !== WELCOME) return;
    const [given] = ports;
    if (port || !given) return;
    port = given;
    port.onmessage = (event: MessageEvent<string>) => listener(event.data);
    for (const text of unsent) port.postMessage(text);
    unsent = [];
    window.removeEventListener('message', hear);
  };
  window.addEventListener('message', hear);
  for (const host of hosts) window.parent.postMessage(HELLO, host);
  return {
    send: (text) => {
      if (port) port.postMessage(text);
      else unsent.push(text);
    },
    listen: (take) => {
      listener = take;
    },
  };
}
