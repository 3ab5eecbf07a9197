import { connect } from 'net';
import { DeskbusError } from '../../common/error';
import type { DialedLink } from './dialed-link';
import { Link, type LinkHooks } from './link';

/** The bytes that a socket read last, of any client: taken out before the next one reads. */
const arrived = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Node before 12.17 and 13.13 aborts the process when a socket that reads into a given buffer hangs
 * up behind a partial read.
 */
const READS_INTO_BUFFERS = isAtLeast(12, 17) && !(isAtLeast(13, 0) && !isAtLeast(13, 13));

/** The backend has more connections to accept than wait, or this process has no descriptor left. */
const NO_ROOM = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOBUFS']);

/** Connects a link to the backend's pipe. `onHeard` is told that something arrived. */
export function dial(pipe: string, hooks: LinkHooks, onHeard: () => void): DialedLink {
  const onread = {
    buffer: arrived,
    callback: (length: number): boolean => {
      onHeard();
      link.feed(arrived.subarray(0, length));
      return true;
    },
  };
  const socket = connect(READS_INTO_BUFFERS ? { path: pipe, onread } : { path: pipe });
  if (!READS_INTO_BUFFERS) {
    socket.on('data', (chunk) => {
      onHeard();
      link.feed(chunk);
    });
  }
  // In Electron 9's main process the socket may be left unattended until the next timer.
  setTimeout(() => undefined, 1);
  let refuse: (error: DeskbusError) => void = () => undefined;
  let why = DeskbusError.of('unavailable', `Nobody answers on the pipe ${pipe}.`, {
    action:
      'Start the backend, or give the path of its pipe: `shell.pipe`, or what its ready line names.',
  });
  socket.once('error', ({ code = '' }: NodeJS.ErrnoException) => {
    if (NO_ROOM.has(code))
      why = DeskbusError.of('overloaded', 'The pipe has no room at the moment.');
  });
  const link: Link = new Link(socket, {
    ...hooks,
    onClose: () => {
      socket.destroy();
      refuse(why);
      hooks.onClose();
    },
  });
  socket.on('end', () => link.close());
  const connected = new Promise<void>((resolve, reject) => {
    refuse = reject;
    socket.once('connect', () => resolve());
  });
  return { link, socket, connected };
}

function isAtLeast(major: number, minor: number): boolean {
  const [ourMajor = 0, ourMinor = 0] = process.versions.node.split('.').map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}
