import { ipcRenderer } from 'electron';
import { Channel, TAKEN_CHARACTERS, type PortWord } from '../ipc/page-lines';

/** A way for lines to the relay, and from it to `take`. */
export type Send = (text: string) => void;
type Take = (text: string) => void;

/** Main has the relay: Electron's IPC carries the lines. */
export function overIpc(token: string, take: Take): Send {
  const taken = counter((characters) => ipcRenderer.send(Channel.taken, token, characters));
  ipcRenderer.on(Channel.lines, (_event, text: string) => taken(text, take));
  return (text) => ipcRenderer.send(Channel.lines, token, text);
}

/** A process of its own has the relay; lines wait until main has sent the port to it. */
export function overPort(token: string, take: Take): Send {
  const waiting: string[] = [];
  let send: Send = (text) => waiting.push(text);
  ipcRenderer.on(Channel.port, (event, forWhom: unknown) => {
    const [port] = event.ports;
    if (!port || forWhom !== token) return;
    const say = (word: PortWord): void => port.postMessage(word);
    const taken = counter((characters) => say(['taken', token, characters]));
    port.onmessage = ({ data }: { data: unknown }) => {
      if (typeof data === 'string') taken(data, take);
    };
    send = (text) => say(['lines', token, text]);
    for (const text of waiting.splice(0)) send(text);
  });
  // A frame that may not speak gets no port, and hears so.
  ipcRenderer.on(Channel.lines, (_event, text: string) => take(text));
  return (text) => send(text);
}

/** Hands texts on, and tells their characters once for many of them. */
function counter(tell: (characters: number) => void): (text: string, take: Take) => void {
  let characters = 0;
  return (text, take) => {
    try {
      take(text);
    } finally {
      characters += text.length;
      if (characters >= TAKEN_CHARACTERS) {
        tell(characters);
        characters = 0;
      }
    }
  };
}
