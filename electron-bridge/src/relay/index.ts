// The entry of the process of relays: Electron's utility process. Node's worker threads run it in tests.
import { parentPort as workerPort, type MessagePort } from 'worker_threads';
import { RelayHost, type MainWord, type Port } from './host';

interface UtilityMessage {
  data: MainWord;
  ports: Port[];
}

/** Electron's, whose messages hold their data and ports. */
const electronPort = (process as unknown as { parentPort?: NodeJS.EventEmitter & Port }).parentPort;

if (electronPort) {
  const host = new RelayHost((word) => electronPort.postMessage(word));
  electronPort.on('message', (message: unknown) => {
    const { data, ports } = message as UtilityMessage;
    host.hear(data, ports[0] && unwrapped(ports[0]));
  });
} else if (workerPort) {
  const port: MessagePort = workerPort;
  const host = new RelayHost((word) => port.postMessage(word));
  port.on('message', ({ word, page }: { word: MainWord; page?: MessagePort }) => {
    host.hear(word, page);
  });
}

/** A port whose messages are their data alone, as those of worker threads are. */
function unwrapped(port: Port): Port {
  return {
    postMessage: (message) => port.postMessage(message),
    on: (event, listener) =>
      port.on(event, (message) => listener((message as { data: unknown }).data)),
    start: () => port.start(),
    close: () => port.close(),
  };
}
