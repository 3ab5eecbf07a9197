import { closeSync, readFileSync } from 'fs';
import { APP_VARIABLE, PIPE_VARIABLE, TICKET_FD_VARIABLE } from '../../generated/constants';
import { DeskbusError } from '../../common/error';

/** With what a process shows who it is. */
export interface Credentials {
  pipe: string;
  app: string;
  ticket: string;
}

/** The port that Electron gives a utility process; Node itself has none. */
interface ParentPort {
  once(event: 'message', listener: (message: { data: unknown }) => void): void;
}

/** The credentials that the backend gave this process; works once. Rejects with session_required. */
export async function handedCredentials(): Promise<Credentials> {
  const { parentPort } = process as unknown as { parentPort?: ParentPort };
  if (parentPort && process.env[TICKET_FD_VARIABLE] === undefined) {
    const data = await new Promise((resolve) => {
      parentPort.once('message', (message) => resolve(message.data));
    });
    return data as Credentials;
  }
  const pipe = process.env[PIPE_VARIABLE];
  const app = process.env[APP_VARIABLE];
  const descriptor = Number(process.env[TICKET_FD_VARIABLE] ?? NaN);
  if (pipe === undefined || app === undefined || !Number.isInteger(descriptor)) {
    throw DeskbusError.of('session_required', 'This process was not started by the backend.', {
      action: 'Start it with `deskbus apps launch`, as the process of an app in deskbus.toml.',
    });
  }
  Reflect.deleteProperty(process.env, TICKET_FD_VARIABLE);
  const ticket = readFileSync(descriptor, 'utf8').trim();
  closeSync(descriptor);
  return { pipe, app, ticket };
}
