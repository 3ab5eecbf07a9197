import { closeSync, readFileSync } from 'fs';
import { DeskbusError } from './error';

/** With what a process shows who it is. */
export interface Badge {
  pipe: string;
  app: string;
  ticket: string;
}

/** What Electron gives a utility process; Node itself has no such thing. */
interface ParentPort {
  once(event: 'message', listener: (message: { data: unknown }) => void): void;
}

/** What the backend gave to this process; works once. Rejects with session_required elsewhere. */
export async function handedOver(): Promise<Badge> {
  const { parentPort } = process as unknown as { parentPort?: ParentPort };
  if (parentPort && process.env['DESKBUS_TICKET_FD'] === undefined) {
    const data = await new Promise((resolve) => {
      parentPort.once('message', (message) => resolve(message.data));
    });
    return data as Badge;
  }
  const pipe = process.env['DESKBUS_PIPE'];
  const app = process.env['DESKBUS_APP'];
  const descriptor = Number(process.env['DESKBUS_TICKET_FD'] ?? NaN);
  if (pipe === undefined || app === undefined || !Number.isInteger(descriptor)) {
    throw DeskbusError.of('session_required', 'This process was not started by the backend.');
  }
  delete process.env['DESKBUS_TICKET_FD'];
  const ticket = readFileSync(descriptor, 'utf8').trim();
  closeSync(descriptor);
  return { pipe, app, ticket };
}
